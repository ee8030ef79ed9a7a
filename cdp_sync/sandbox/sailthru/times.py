"""Time as Sailthru has it: a clock that can be moved, and the ways in which a moment is written."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from cdp_sync.sandbox.sailthru.refusal import Refused

_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%m/%d/%Y", "%Y%m%d")


class Clock:
    """Tells the time in seconds since 1970, and can be moved on.

    Args:
        start: Where it stands still until it is moved; without it, it goes as real time does.
    """

    def __init__(self, start: float | None = None) -> None:
        self._time: Callable[[], float] = time.time if start is None else lambda: start
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self._time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self._ahead += seconds


@lru_cache(maxsize=65536)
def rfc2822(moment: int, zone: ZoneInfo) -> str:
    """Write a moment as answers do: `Sat, 02 Oct 2021 16:46:57 -0700`."""
    return format_datetime(datetime.fromtimestamp(moment, zone))


def local(moment: int, zone: ZoneInfo) -> str:
    """Write a moment as exports do, without its zone, and quoted for the space in it: `"2015/05/07 15:03:49"`.

    An export writes hundreds of thousands of them, hence in pieces that are remembered.
    """
    shifted = moment + _offset(moment // 900, zone)
    return f'"{_day(shifted // 86400)} {_time_of_day(shifted % 86400)}"'


@lru_cache(maxsize=65536)
def _offset(quarter: int, zone: ZoneInfo) -> int:
    # Clocks change on a quarter of an hour everywhere.
    offset = datetime.fromtimestamp(quarter * 900, zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


@lru_cache(maxsize=65536)
def _day(days: int) -> str:
    return f"{date(1970, 1, 1) + timedelta(days):%Y/%m/%d}"


@lru_cache(maxsize=86400)
def _time_of_day(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def moment(written: object, zone: ZoneInfo) -> int:
    """Read a moment: seconds, RFC 2822, ISO 8601 and plain dates, of all that PHP's `strtotime` takes.

    Raises:
        Refused: Error 18.
    """
    if isinstance(written, int | float):
        return int(written)
    text = str(written).strip()
    if text.isdigit() and len(text) != 8:
        return int(text)
    found = _parsed(text)
    if found is None:
        raise Refused(400, 18, f"Invalid time: {text}")
    return int((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp())


def _parsed(text: str) -> datetime | None:
    readers: list[Callable[[str], datetime]] = [partial(_strptime, form=form) for form in _FORMS]
    for read in (*readers, datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _strptime(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007 - the account's zone comes behind it


def day(moment: float) -> str:
    """Return the UTC day as it stands in the address of an export."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y/%m/%d}"
