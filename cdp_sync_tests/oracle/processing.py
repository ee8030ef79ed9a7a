"""Reference implementation of processors, row by row."""

import hashlib
import hmac
import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from cdp_sync.model import Format
from cdp_sync.model.processor import Processor, names_of
from cdp_sync.processing.domains import CORRECTIONS
from cdp_sync_tests.oracle.addresses import SPACES, read_address
from cdp_sync_tests.oracle.converting import shows_nothing, stripped
from cdp_sync_tests.oracle.dates import NoDate, read_moment
from cdp_sync_tests.oracle.row import Cell

Cells = dict[str, Cell]

LOWER = [
    "van",
    "von",
    "der",
    "den",
    "de",
    "het",
    "ten",
    "ter",
    "te",
    "'t",
    "la",
    "le",
    "du",
    "da",
    "do",
    "das",
    "dos",
    "di",
    "del",
    "della",
    "y",
    "e",
    "und",
    "zu",
    "zur",
    "bin",
    "al",
    "el",
    "af",
    "av",
]


class ProcessorFails(Exception):
    """A processor that cannot run."""


def process(
    rows: list[Cells], processors: Iterable[Processor], now: datetime | None, secrets: Mapping[str, str] | None = None
) -> list[bool]:
    """Process the rows of one text in place; return whether each is kept. Without `now`, dates are empty."""
    kept = [True] * len(rows)
    for processor in processors:
        settings = processor.settings
        for name in settings.reads:
            if rows and name not in rows[0]:
                raise ProcessorFails(f"{processor.name} names {name}")
        if processor.name in ACROSS:
            ACROSS[processor.name](rows, kept, settings)
            continue
        for place, row in enumerate(rows):
            kept[place] = bool(EACH[processor.name](row, settings, now, secrets or {})) and kept[place]
    return kept


def in_place(change: Callable[..., Cell]) -> Callable[..., bool]:
    """Return a step that changes the processor's fields where they have a value."""

    def step(row: Cells, settings: Any, _now: datetime, secrets: Mapping[str, str]) -> bool:
        for name in names_of(settings.field) or tuple(row):
            cell = row[name]
            row[name] = None if cell is None else change(cell, settings, secrets)
        return True

    return step


def casing(cell: str, settings: Any, _secrets: object) -> Cell:
    """Change upper and lower case."""
    match settings.to:
        case "lower":
            return cell.lower()
        case "upper":
            return cell.upper()
        case "first":
            return cell[:1].upper() + cell[1:].lower()
    return " ".join(word[:1].upper() + word[1:] for word in cell.lower().split(" "))


def clean_email(cell: str, settings: Any, _secrets: object) -> Cell:
    """Return the address in a cell, also after removing white space."""
    address = read_address(stripped(cell)) or read_address(re.sub(r"\s+", "", cell))
    if address is None:
        return cell
    local, _, domain = address.partition("@")
    corrections = {**(CORRECTIONS if settings.correct_domains else {}), **settings.domains}
    return f"{local}@{corrections.get(domain, domain)}"


def convert_values(row: Cells, settings: Any, *_others: object) -> bool:
    """Replace values; an empty cell counts as an empty value."""
    fold: Callable[[str], str] = str.lower if settings.any_case else str
    values: dict[str, str] = {}
    for old, new in settings.values.items():
        values.setdefault(fold(old), new)

    def converted(text: str) -> str:
        return values.get(fold(text), text if settings.others == "keep" else "")

    for name in names_of(settings.field):
        if settings.separator is None:
            row[name] = converted(row[name] or "") or None
        elif row[name] is not None:
            parts = (converted(stripped(part)) for part in (row[name] or "").split(settings.separator))
            row[name] = settings.separator.join(filter(None, parts)) or None
    return True


def keep_or_drop(row: Cells, settings: Any, *_others: object) -> bool:
    """Return whether a filter keeps a row."""
    found = re.search(settings.keep or settings.drop or "", row[settings.field] or "") is not None
    return found == (settings.drop is None)


def remove_nulls(cell: str, settings: Any, _secrets: object) -> Cell:
    """Remove a word for no value."""
    return None if cell.lower() in {word.lower() for word in settings.words} else cell


def add_value(row: Cells, settings: Any, *_others: object) -> bool:
    """Add a text."""
    row[settings.field] = settings.value
    return True


def add_date(row: Cells, settings: Any, now: datetime | None, _secrets: object) -> bool:
    """Add the date of the run."""
    row[settings.field] = now.astimezone(ZoneInfo(settings.time_zone)).strftime(settings.format) if now else ""
    return True


def concatenate(row: Cells, settings: Any, *_others: object) -> bool:
    """Join what is not empty."""
    row[settings.into] = settings.separator.join(row[name] or "" for name in settings.fields if row[name]) or None
    return True


def split(row: Cells, settings: Any, *_others: object) -> bool:
    """Split a cell; the last field has the rest."""
    cell = row[settings.field]
    parts = [] if cell is None else cell.split(settings.separator, len(settings.into) - 1)
    for number, name in enumerate(settings.into):
        row[name] = (stripped(parts[number]) if number < len(parts) else "") or None
    return True


def convert_dates(cell: str, settings: Any, _secrets: object) -> Cell:
    """Write a date in another format; what imports do not read stays."""
    form = Format(dates=settings.formats, century_pivot=settings.century_pivot)
    try:
        moment = read_moment(cell.strip(SPACES), form)
    except NoDate:
        return cell
    clock = moment.clock
    if moment.is_count:
        clock = clock.replace(tzinfo=UTC).astimezone(ZoneInfo(settings.time_zone))
    return clock.strftime(settings.to)


def clean_name(cell: str, _settings: Any, _secrets: object) -> Cell:
    """Normalize white space and capitals of a name."""
    words = "".join(" " if shows_nothing(sign) else sign for sign in cell).split()
    name = " ".join(words)
    if name not in (name.lower(), name.upper()):
        return name
    words = name.lower().split()
    shown = (word if place and word in LOWER else capitalized(word) for place, word in enumerate(words))
    return " ".join(shown) or None


def capitalized(word: str) -> str:
    """Return a word with capitals at its start and after hyphens and apostrophes."""
    return "".join(sign.upper() if not place or word[place - 1] in "-'" else sign for place, sign in enumerate(word))


def hash_cell(cell: str, settings: Any, _secrets: object) -> Cell:
    """Return the digest of a cell."""
    text = stripped(cell).lower() if settings.normalize else cell
    return hashlib.new(settings.algorithm, text.encode()).hexdigest() if text else None


def pseudonymize(cell: str, settings: Any, secrets: Mapping[str, str]) -> Cell:
    """Return the keyed digest of a cell."""
    text = stripped(cell).lower()
    return hmac.new(secrets[settings.key_env].encode(), text.encode(), "sha256").hexdigest() if text else None


def first_rows(_rows: list[Cells], kept: list[bool], settings: Any) -> None:
    """Keep the first of the remaining rows."""
    left = [place for place, is_kept in enumerate(kept) if is_kept]
    for place in left[settings.rows :]:
        kept[place] = False


def drop_duplicates(rows: list[Cells], kept: list[bool], settings: Any) -> None:
    """Keep one of the rows with equal cells."""
    places = [place for place, is_kept in enumerate(kept) if is_kept]
    seen: set[tuple[str, ...]] = set()
    for place in places if settings.keep == "first" else reversed(places):
        key = tuple(rows[place][name] or "" for name in names_of(settings.field) or rows[place])
        if any(key):
            kept[place] = key not in seen
            seen.add(key)


def clean_phone(rows: list[Cells], kept: list[bool], settings: Any) -> None:
    """Convert telephone numbers to E.164 with the product's library."""
    from cdp_sync.processing.phones import e164

    for row, is_kept in zip(rows, kept, strict=True):
        for name in names_of(settings.field):
            if is_kept and row[name]:
                own = (row[settings.country_field] or "").strip().upper() if settings.country_field else ""
                number = e164(row[name] or "", own or settings.country)
                row[name] = number or (row[name] if settings.invalid == "keep" else None)


def python(rows: list[Cells], kept: list[bool], settings: Any) -> None:
    """Call a function with all remaining rows at once."""
    module, _, name = settings.function.partition(":")
    for row in rows:
        for added in settings.adds:
            row.setdefault(added, None)
    places = [place for place, is_kept in enumerate(kept) if is_kept]
    if not places:
        return
    names = [name for name in settings.fields or rows[0] if name not in settings.adds]
    frame = pd.DataFrame([{name: rows[place][name] for name in names} for place in places], index=places, dtype="str")
    result = getattr(importlib.import_module(module), name)(frame)
    for place in places:
        kept[place] = place in result.index
        if kept[place]:
            cells = result.loc[place].to_dict()
            rows[place] |= {name: None if pd.isna(cell) else cell for name, cell in cells.items()}


EACH: dict[str, Callable[..., bool]] = {
    "casing": in_place(casing),
    "clean_email": in_place(clean_email),
    "convert_values": convert_values,
    "filter": keep_or_drop,
    "remove_nulls": in_place(remove_nulls),
    "add_value": add_value,
    "add_date": add_date,
    "concatenate": concatenate,
    "split": split,
    "convert_dates": in_place(convert_dates),
    "clean_name": in_place(clean_name),
    "hash": in_place(hash_cell),
    "pseudonymize": in_place(pseudonymize),
}
"""Processors of one row; each returns whether the row is kept."""

ACROSS: dict[str, Callable[..., None]] = {
    "first_rows": first_rows,
    "drop_duplicates": drop_duplicates,
    "clean_phone": clean_phone,
    "python": python,
}
"""Processors of all rows."""
