"""Moments, which are seconds since 1970, as APIs write and read them."""

import time
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=65536)
def rfc2822(moment: int, zone: ZoneInfo) -> str:
    """Write `Sat, 02 Oct 2021 16:46:57 -0700`."""
    return format_datetime(datetime.fromtimestamp(moment, zone))


def local(moment: int, zone: ZoneInfo) -> str:
    """Write `2015/05/07 15:03:49`, without the zone. Fast: an export writes hundreds of thousands of moments."""
    year, month, day, hour, minute, second, *_ = time.gmtime(moment + _offset(moment // 900, zone))
    return f"{year}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}"


@lru_cache(maxsize=65536)
def _offset(quarter: int, zone: ZoneInfo) -> int:
    # Clocks change on a quarter of an hour everywhere.
    return (datetime.fromtimestamp(quarter * 900, zone).utcoffset() or timedelta()) // timedelta(seconds=1)


def read_moment(written: object, zone: ZoneInfo) -> int:
    """Read seconds, RFC 2822, ISO 8601, or a plain date in a zone.

    Raises:
        ValueError: It is none of them.
    """
    text = str(written).strip()
    if isinstance(written, int | float) or (text.isdigit() and len(text) != 8):
        return int(float(text))
    try:
        found = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        found = parsedate_to_datetime(text)
    return int((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp())
