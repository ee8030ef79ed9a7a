"""The vocabulary of the project: the field's terms, which a reader can search for. Some words are forbidden."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SCANNED = ("cdp_sync", "cdp_sync_tests", "docs", "findings")
SUFFIXES = {".py", ".sql", ".yaml", ".md", ".sh", ".toml", ".html", ".template"}

STAY_OUT = {
    r"told": "the name of the content: summary, payload, answer, problems",
    r"behind": "after, for time; beyond or below, for place",
    r"whoever": "who, or the noun",
    r"whom|whomever": "the noun",
    r"slips?": "problem",
    r"what\s+became\s+of": "outcome",
    r"is\s+told\s+of": "is reported",
    r"siege|buried|toil": "the field's word",
}
"""A pattern, and its replacement."""

GLOSSARY = (
    "connection", "platform", "goal", "link", "mapping", "set mode", "property", "identifier", "profile", "segment",
    "objective", "event", "event type", "group", "group type", "processor", "merge rule", "decision", "lifecycle",
    "stage", "touchpoint", "campaign", "score", "run", "run report", "ledger", "watermark", "quarantine", "delta",
    "upsert", "checksum", "idempotent", "retry with backoff", "rate limit", "deadline", "snapshot",
)  # fmt: skip


@pytest.fixture(scope="module", name="texts")
def texts_of_the_repository() -> dict[str, str]:
    """Return the repository's texts by path, except for this file."""
    paths = [path for folder in SCANNED for path in (REPOSITORY / folder).rglob("*") if path.suffix in SUFFIXES]
    paths += [path for path in REPOSITORY.glob("*") if path.suffix in SUFFIXES or path.name == "Makefile"]
    return {
        str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8", errors="replace")
        for path in paths
        if path.is_file() and path != Path(__file__)
    }


@pytest.mark.parametrize("word", STAY_OUT)
def test_words_stay_out(word: str, texts: dict[str, str]) -> None:
    """No name, comment, message or document has these words. Each part of a name counts as a word."""
    pattern = re.compile(rf"(?<![a-z])({word})(?![a-z])", re.IGNORECASE)
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in texts.items()
        for match in pattern.finditer(text)
    ]
    assert not found, f"{len(found)} places; better: {STAY_OUT[word]}\n" + "\n".join(found[:40])


def test_the_glossary_has_every_word(texts: dict[str, str]) -> None:
    """The first column of the glossary has each word of the project."""
    rows = re.findall(r"^\| ([^|]+) \|", texts["docs/glossary.md"], re.MULTILINE)
    explained = {word.strip() for row in rows for word in row.split(",")}
    assert sorted(set(GLOSSARY) - explained) == []
