"""Conversion of cells to moments: local date and time, and the instant."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from cdp_sync.model import Format

EPOCHS = {"epoch_seconds": (timedelta(seconds=1), 11), "epoch_milliseconds": (timedelta(milliseconds=1), 14)}
"""The unit and the largest number of digits of each epoch."""

ZONE = "[Zz]|[+-][0-9][0-9]:?[0-9][0-9]|[+-][0-9][0-9]"
ISO = re.compile(rf"(.{{10}})(?:[T ]([0-9:]{{5}}|[0-9:]{{8}}(?:\.([0-9]{{1,9}}))?)({ZONE})?)?")

NUMBERS = dict.fromkeys("YG", (4, 4)) | dict.fromkeys("mdHIMSV", (1, 2))
NUMBERS |= {"y": (2, 2), "u": (1, 1), "w": (1, 1), "j": (1, 3), "f": (1, 9)}
WORDS = {"a": calendar.day_abbr, "A": calendar.day_name, "b": calendar.month_abbr, "B": calendar.month_name}
WORDS |= {"p": ("am", "pm")}


class NoDate(Exception):
    """The text does not match the pattern."""


@dataclass(frozen=True)
class Moment:
    """A date and time as written."""

    clock: datetime
    """The local date and time."""
    zone: tzinfo | None
    """The written offset; None without one."""
    is_count: bool = False
    """Whether it was written as a number since 1970."""

    def instant(self, fmt: Format) -> datetime:
        """Return the instant. A skipped local time moves forward; of a repeated one the second counts."""
        if self.zone:
            return self.clock.replace(tzinfo=self.zone).astimezone(UTC)
        local = self.clock.replace(tzinfo=ZoneInfo(fmt.time_zone))
        return local.replace(fold=0 if is_skipped(local) else 1).astimezone(UTC)

    def day(self, fmt: Format) -> date:
        """Return the written date, or the date in the format's zone."""
        if self.is_count or fmt.date_in_zone:
            return self.instant(fmt).astimezone(ZoneInfo(fmt.time_zone)).date()
        return self.clock.date()

    def is_doubtful(self, fmt: Format) -> bool:
        """Return whether the local time is skipped or repeated in the format's zone."""
        local = self.clock.replace(tzinfo=ZoneInfo(fmt.time_zone))
        return not self.zone and local.utcoffset() != local.replace(fold=1).utcoffset()


def is_skipped(local: datetime) -> bool:
    """Return whether the zone's clocks skip a local time."""
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None)


def read_moment(text: str, fmt: Format) -> Moment:
    """Return the moment that the first matching pattern reads. Raises NoDate."""
    for pattern in fmt.dates:
        try:
            moment = parse_moment(text, pattern, fmt)
            moment.instant(fmt)
        except (ValueError, OverflowError, NoDate):
            continue
        return moment
    raise NoDate("no such date in a declared format")


def parse_moment(text: str, pattern: str, fmt: Format) -> Moment:
    """Parse a text by one pattern. Raises NoDate or ValueError."""
    if pattern in EPOCHS:
        unit, digits = EPOCHS[pattern]
        if not re.fullmatch(rf"[+-]?[0-9]{{1,{digits}}}", text):
            raise NoDate(text)
        counted = datetime(1970, 1, 1) + int(text) * unit  # noqa: DTZ001 - the zone stands beside
        return Moment(counted, UTC, is_count=True)
    if pattern == "iso":
        return parse_iso(text)
    return parse_pattern(text, pattern, fmt)


def parse_iso(text: str) -> Moment:
    """Parse a date, or a date and a time with or without an offset."""
    found = ISO.fullmatch(text)
    if not found or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", found[1]):
        raise NoDate(text)
    day, clock = date.fromisoformat(found[1]), time.fromisoformat((found[2] or "00:00").partition(".")[0])
    clock = clock.replace(microsecond=int((found[3] or "0").ljust(6, "0")[:6]))
    return Moment(datetime.combine(day, clock), offset_of(found[4]) if found[4] else None)


def parse_pattern(text: str, pattern: str, fmt: Format) -> Moment:
    """Parse the directives, build a moment from them, and check that it agrees with each."""
    parts = parts_of(text, pattern)
    clock = datetime.combine(day_of(parts, fmt), time_of(parts))
    for letter, written in parts:
        if letter not in ("z", "f") and shown(letter, clock) != written:
            raise NoDate(f"{written} is not {shown(letter, clock)}")
    zone = dict(parts).get("z")
    return Moment(clock, None if zone is None else offset_of(str(zone)))


def parts_of(text: str, pattern: str) -> list[tuple[str, int | str]]:
    """Return the directives of a pattern with their numbers or words in the text."""
    pattern = pattern.replace("%-", "%")
    pieces = re.split("%([a-zA-Z%])", pattern)
    expression = "".join(
        f"({expression_of(pieces, place)})" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)
    )
    found = re.fullmatch(expression, text)
    if not found:
        raise NoDate(text)
    letters = pieces[1::2]
    return [
        (letter, int(part) if letter in NUMBERS and letter != "f" else part.lower())
        for letter, part in zip(letters, found.groups(), strict=True)
        if letter != "%"
    ]


def expression_of(pieces: list[str], place: int) -> str:
    """Return the expression of a directive; next to another number it has its full width."""
    letter = pieces[place]
    if letter in WORDS:
        return "|".join(f"(?i:{word})" for word in WORDS[letter] if word)
    if letter not in NUMBERS:
        return {"z": ZONE, "%": "%"}[letter]
    fewest, most = NUMBERS[letter]
    before = place > 1 and pieces[place - 1] == "" and pieces[place - 2] in NUMBERS and pieces[place - 2] != "f"
    after = place + 2 < len(pieces) and pieces[place + 1] == "" and pieces[place + 2] in NUMBERS
    return f"[0-9]{{{most if (before or after) and letter != 'f' else fewest},{most}}}"


def day_of(parts: list[tuple[str, int | str]], fmt: Format) -> date:
    """Return the date of the directives."""
    given = dict(parts)
    if "G" in given:
        return date.fromisocalendar(int(given["G"]), int(given.get("V", 1)), int(given.get("u", 1)))
    year = int(given["Y"]) if "Y" in given else year_of(int(given["y"]), fmt) if "y" in given else 1900
    if "j" in given and not given.keys() & set("mbB"):
        return date(year, 1, 1) + timedelta(days=int(given["j"]) - 1)
    month = given.get("m", 1)
    for letter in "bB":
        if letter in given:
            month = [name.lower() for name in WORDS[letter]].index(str(given[letter]))
    return date(year, int(month), int(given.get("d", 1)))


def year_of(two_digits: int, fmt: Format) -> int:
    """Return the year of two digits."""
    return two_digits + (2000 if two_digits <= fmt.century_pivot else 1900)


def time_of(parts: list[tuple[str, int | str]]) -> time:
    """Return the time of the directives, cut to microseconds."""
    given = dict(parts)
    hour = int(given.get("H", 0))
    if "I" in given:
        if not 1 <= int(given["I"]) <= 12:
            raise NoDate(f"no hour of a clock: {given['I']}")
        hour = int(given["I"]) % 12 + 12 * (given.get("p") == "pm")
    fraction = str(given.get("f", "")).ljust(6, "0")[:6]
    return time(hour, int(given.get("M", 0)), int(given.get("S", 0)), int(fraction))


def shown(letter: str, clock: datetime) -> int | str:
    """Return the formatted value of a directive."""
    text = clock.strftime(f"%{letter}").lower()
    return int(text) if letter in NUMBERS else text


def offset_of(text: str) -> timezone:
    """Return the time zone of a written offset."""
    if text in "zZ":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise NoDate(text)
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if text[0] == "-" else size)
