"""The processors whose work on a row needs that row alone: expressions over its cells, fused into one query."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo

import re2

from cdp_sync.errors import SecretMissing
from cdp_sync.model.format import WHITE_SPACE, Format
from cdp_sync.model.processor import (
    AddDate,
    AddValue,
    Casing,
    CleanEmail,
    CleanName,
    Concatenate,
    ConvertDates,
    ConvertValues,
    Filter,
    Hash,
    Pseudonymize,
    RemoveNulls,
    Settings,
    Split,
    names_of,
)
from cdp_sync.processing.addresses import address_of
from cdp_sync.processing.dates import written_in
from cdp_sync.processing.domains import CORRECTIONS
from cdp_sync.processing.names import person_name
from cdp_sync.processing.relation import Cells, Moment
from cdp_sync.warehouse import quote_literal

Expressions = dict[str, str]
"""The expression of each field that changes or is added."""

_SPACE = quote_literal(WHITE_SPACE)
_PERSONAL = quote_literal(
    r"[^@\s]+@[^@\s]+\.[^@\s]+|\+[0-9][0-9 ()./-]{6,20}[0-9]|0[0-9]{1,4}[ -]?[0-9][0-9 ]{4,10}[0-9]{2}"
)
"""An e-mail address, or a telephone number with a country code or a leading zero; no date and no amount."""

_BLOCK = 64
"""Bytes of a block of SHA-256, to which HMAC pads its key (RFC 2104)."""


def _each(fields: Iterable[str], cells: Cells, expression: Callable[[str], str]) -> Expressions:
    return {name: expression(cells[name]) for name in fields}


def _casing(settings: Casing, cells: Cells, _moment: Moment) -> Expressions:
    forms: dict[str, Callable[[str], str]] = {
        "lower": lambda cell: f"lower({cell})",
        "upper": lambda cell: f"upper({cell})",
        "first": lambda cell: f"upper({cell}[1]) || lower({cell}[2:])",
        "words": lambda cell: (
            f"array_to_string(list_transform(string_split(lower({cell}), ' '), "
            "lambda word: concat(upper(word[1]), word[2:])), ' ')"
        ),
    }
    return _each(names_of(settings.field), cells, forms[settings.to])


def _clean_email(settings: CleanEmail, cells: Cells, _moment: Moment) -> Expressions:
    def cleaned(cell: str) -> str:
        closer = address_of(f"regexp_replace({cell}, '[\\s\\p{{Z}}]+', '', 'g')")
        spaced = f"{cell} not between '!' and '~' or regexp_matches({cell}, '[\\s\\p{{Z}}]')"
        return f"coalesce({address_of(cell)}, case when {spaced} then {closer} end, {cell})"

    return _each(names_of(settings.field), cells, cleaned)


def _correct_domains(settings: CleanEmail, cells: Cells, _moment: Moment) -> Expressions:
    """Correct the domains of addresses; one look says that most need no correction."""
    corrections = {**(CORRECTIONS if settings.correct_domains else {}), **settings.domains}
    wrong_domains = quote_literal(rf"^[^@\s]+@({'|'.join(map(re2.escape, corrections))})$")

    def corrected(cell: str) -> str:
        local, domain = (f"split_part({cell}, '@', {number})" for number in (1, 2))
        whens = " ".join(
            f"when {quote_literal(wrong)} then {local} || {quote_literal(f'@{right}')}"
            for wrong, right in corrections.items()
        )
        return (
            f"case when regexp_matches({cell}, {wrong_domains}) then case {domain} {whens} else {cell} end "
            f"else {cell} end"
        )

    return _each(names_of(settings.field), cells, corrected) if corrections else {}


def _convert_values(settings: ConvertValues, cells: Cells, _moment: Moment) -> Expressions:
    def converted(cell: str) -> str:
        compared = f"lower({cell})" if settings.any_case else cell
        whens = " ".join(
            f"when {quote_literal(old.lower() if settings.any_case else old)} then {quote_literal(new)}"
            for old, new in settings.values.items()
        )
        others = cell if settings.others == "keep" else "null"
        return f"nullif(case coalesce({compared}, '') {whens} else {others} end, '')"

    def of_list(cell: str, mark: str) -> str:
        each = converted(f"trim(part, {_SPACE})")
        parts = f"list_transform(string_split({cell}, {mark}), lambda part: {each})"
        return f"nullif(array_to_string(list_filter({parts}, lambda part: part is not null), {mark}), '')"

    separator = settings.separator
    form = converted if separator is None else lambda cell: of_list(cell, quote_literal(separator))
    return _each(names_of(settings.field), cells, form)


def _remove_nulls(settings: RemoveNulls, cells: Cells, _moment: Moment) -> Expressions:
    words = {word.lower() for word in settings.words}

    def emptied(cell: str) -> str:
        is_word = " or ".join(
            f"(strlen({cell}) = {len(word.encode())} and lower({cell}) = {quote_literal(word)})"
            for word in sorted(words)
        )
        return f"case when {is_word} then null else {cell} end"

    return _each(names_of(settings.field) or cells, cells, emptied)


def _add_value(settings: AddValue, _cells: Cells, _moment: Moment) -> Expressions:
    return {settings.field: f"{quote_literal(settings.value)}::varchar"}


def _add_date(settings: AddDate, _cells: Cells, moment: Moment) -> Expressions:
    date = moment.now.astimezone(ZoneInfo(settings.time_zone)).strftime(settings.format)
    return {settings.field: f"{quote_literal(date)}::varchar"}


def _concatenate(settings: Concatenate, cells: Cells, _moment: Moment) -> Expressions:
    parts = ", ".join(f"nullif({cells[name]}, '')" for name in settings.fields)
    return {settings.into: f"nullif(concat_ws({quote_literal(settings.separator)}, {parts}), '')"}


def _split(settings: Split, cells: Cells, _moment: Moment) -> Expressions:
    mark, last = quote_literal(settings.separator), len(settings.into)
    parts = f"string_split({cells[settings.field]}, {mark})"
    each = [f"{parts}[{number}]" for number in range(1, last)]
    each.append(f"array_to_string({parts}[{last}:], {mark})")
    return {name: f"nullif(trim({part}, {_SPACE}), '')" for name, part in zip(settings.into, each, strict=True)}


def _convert_dates(settings: ConvertDates, cells: Cells, _moment: Moment) -> Expressions:
    form = Format(time_zone=settings.time_zone, century_pivot=settings.century_pivot)

    def converted(cell: str) -> str:
        read = (written_in(pattern, cell, form) for pattern in settings.formats)
        return f"coalesce(strftime(coalesce({', '.join(read)}), {quote_literal(settings.to)}), {cell})"

    return _each(names_of(settings.field), cells, converted)


def _clean_name(settings: CleanName, cells: Cells, _moment: Moment) -> Expressions:
    return _each(names_of(settings.field), cells, person_name)


def _hash(settings: Hash, cells: Cells, _moment: Moment) -> Expressions:
    def digest(cell: str) -> str:
        text = _normalized(cell) if settings.normalize else cell
        return f"case when {text} <> '' then {settings.algorithm}({text}) end"

    return _each(names_of(settings.field), cells, digest)


def _normalized(cell: str) -> str:
    return f"lower(trim({cell}, {_SPACE}))"


def _pseudonymize(settings: Pseudonymize, cells: Cells, _moment: Moment) -> Expressions:
    inner, outer = (f"${name}" for name in pad_names(settings))

    def pseudonym(cell: str) -> str:
        text = _normalized(cell)
        digest = f"sha256({outer}::blob || unhex(sha256({inner}::blob || encode({text}))))"
        return f"case when {text} <> '' then {digest} end"

    def where_personal(cell: str) -> str:
        personal = f"regexp_full_match(trim({cell}, {_SPACE}), {_PERSONAL})"
        return f"case when {personal} then {pseudonym(cell)} else {cell} end"

    if settings.field is None:
        return _each(cells, cells, where_personal)
    return _each(names_of(settings.field), cells, pseudonym)


def pad_names(settings: Pseudonymize) -> tuple[str, str]:
    """Return the names under which the padded keys of a pseudonym are bound."""
    name = hashlib.sha256(settings.key_env.encode()).hexdigest()[:8]
    return f"inner_{name}", f"outer_{name}"


def padded_keys(settings: Pseudonymize, moment: Moment) -> dict[str, object]:
    """Return the padded keys of a pseudonym, to bind: values, so that no statement shows them.

    Raises:
        SecretMissing: The environment variable is not set.
    """
    if not (secret := moment.secrets.get(settings.key_env)):
        raise SecretMissing(
            f"The environment variable {settings.key_env} is not set.",
            needed="It must hold the secret key of the goal's pseudonyms.",
            remedy=f"Set {settings.key_env}, and keep its value: another key makes other pseudonyms.",
        )
    key = secret.encode()
    key = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    pads = (bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C))
    return dict(zip(pad_names(settings), pads, strict=True))


def passes(settings: Filter, cells: Cells) -> str:
    """Return the condition that a filter keeps a row."""
    found = (
        f"regexp_matches(coalesce({cells[settings.field]}, ''), {quote_literal(settings.keep or settings.drop or '')})"
    )
    return found if settings.drop is None else f"not {found}"


EXPRESSIONS: Mapping[type[Settings], tuple[Callable[..., Expressions], ...]] = {
    Casing: (_casing,),
    CleanEmail: (_clean_email, _correct_domains),
    ConvertValues: (_convert_values,),
    RemoveNulls: (_remove_nulls,),
    AddValue: (_add_value,),
    AddDate: (_add_date,),
    Concatenate: (_concatenate,),
    Split: (_split,),
    ConvertDates: (_convert_dates,),
    CleanName: (_clean_name,),
    Hash: (_hash,),
    Pseudonymize: (_pseudonymize,),
}
"""What a processor makes of a row's cells, by the model of its options: expressions, perhaps over earlier ones."""
