"""Local times that a zone's clocks skip or show twice."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cdp_sync.importing.converting.cell import naming
from cdp_sync.importing.converting.dates import instant_in, local_in
from cdp_sync.model import Format
from cdp_sync.warehouse import quote_literal

_FIRST, _DAYS = datetime(1970, 1, 1, tzinfo=UTC), 36_525
"""The century whose changes of clocks are looked up; times before and after it are always compared."""


@lru_cache
def days_of_change(zone: str) -> frozenset[int]:
    """Return the days since 1970 around each change of a zone's clocks, one before and one after included."""
    clock = ZoneInfo(zone)

    def offset(day: int) -> timedelta | None:
        return (_FIRST + timedelta(days=day)).astimezone(clock).utcoffset()

    weeks = [day for day in range(0, _DAYS, 7) if offset(day) != offset(day + 7)]
    changes = [day for first in weeks for day in range(first, first + 7) if offset(day) != offset(day + 1)]
    return frozenset(day for change in changes for day in range(change - 1, change + 3))


def is_doubtful(cell: str, instant: str, form: Format) -> str | None:
    """Return the condition that a local time was skipped or is shown twice; None where no clock changes.

    It takes the names of the cell and of the instant that it was converted to, in the session's time zone.
    """
    days = days_of_change(form.time_zone)
    if not days:
        return None
    bits = quote_literal("".join("1" if day in days else "0" for day in range(_DAYS)))
    day = f"epoch_us({instant}) // 86400000000"
    near = f"case when {day} between 0 and {_DAYS - 1} then get_bit({bits}::bit, ({day})::integer) = 1 else true end"
    odd = naming(_local(cell, form), "clock", lambda clock: _is_odd(clock, instant, form.time_zone))
    return f"case when {near} then coalesce({odd}, false) else false end"


def _local(cell: str, form: Format) -> str:
    """Return the expression for the local time by the pattern that reads the cell."""
    if len(form.dates) == 1:
        return local_in(form.dates[0], cell, form)
    cases = " ".join(
        f"when {instant_in(pattern, cell, form)} is not null then {local_in(pattern, cell, form)}"
        for pattern in form.dates
    )
    return f"case {cases} end"


def _is_odd(clock: str, instant: str, zone: str) -> str:
    """Return the condition that a clock never shows this time, or shows it also under the offset of the day before."""
    shown, day_before = f"timezone('{zone}', {instant})", f"({instant} - interval 24 hours)"
    earlier_offset = f"(epoch_us(timezone('{zone}', {day_before})) - epoch_us({day_before}))"
    other = f"make_timestamptz(epoch_us({clock}) - {earlier_offset})"
    return f"({shown} <> {clock} or {other} <> {instant} and timezone('{zone}', {other}) = {clock})"
