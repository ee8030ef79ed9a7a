"""Names of people: spaces and capitals."""

from cdp_sync.model.format import WHITE_SPACE
from cdp_sync.processing.text import naming
from cdp_sync.warehouse import quote_literal

_SPACES = quote_literal(r"[\s\p{Z}\p{Cf}]+")
_LOWER = """van von der den de het ten ter te 't la le du da do das dos di del della y e und zu zur bin al el af av""".split()
"""Words inside a name that are written in lower case."""


def person_name(cell: str) -> str:
    """Return the expression for a person's name.

    White space becomes single spaces. A name in capitals alone, or in none, gets a capital in front of each word and
    after each hyphen and apostrophe; words such as `van` stay in lower case after the first word. A name in both cases
    keeps its letters: who wrote it knew.
    """
    clean = f"nullif(trim(regexp_replace({cell}, {_SPACES}, ' ', 'g'), {quote_literal(WHITE_SPACE)}), '')"
    return naming(clean, "name", lambda name: f"case when {_one_case(name)} then {_capitalized(name)} else {name} end")


def _one_case(name: str) -> str:
    return f"{name} = lower({name}) or {name} = upper({name})"


def _capitalized(name: str) -> str:
    particles = ", ".join(map(quote_literal, _LOWER))
    word = f"case when place > 1 and list_contains([{particles}], word) then word else {_word('word')} end"
    return f"array_to_string(list_transform(string_split(lower({name}), ' '), lambda word, place: {word}), ' ')"


def _word(word: str) -> str:
    """Return the expression for a word with capitals at its beginning, and after hyphens and apostrophes."""
    apostrophe = quote_literal("'")
    after = f"list_transform(string_split(part, {apostrophe}), lambda piece: concat(upper(piece[1]), piece[2:]))"
    part = f"array_to_string({after}, {apostrophe})"
    return f"array_to_string(list_transform(string_split({word}, '-'), lambda part: {part}), '-')"
