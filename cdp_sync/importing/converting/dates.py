"""Dates and instants.

A `datetime` is an instant: a time without an offset is local time in the format's time zone. A time that daylight
saving skips is read as moved forward by what the clocks are; one that it repeats as the second of the two.
A `date` is the day as it is written, whatever its offset; with `date_in_zone` the day in the format's time zone.
A count since 1970 writes no day: it is the day in the time zone. `processing.dates` says what a date is.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cdp_sync.importing.converting.cell import Conversion, naming
from cdp_sync.model import Format, Property
from cdp_sync.processing.dates import day_in, instant_in, local_in
from cdp_sync.warehouse import quote_literal


def convert_date(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of a day."""
    tried = ", ".join(day_in(pattern, cell, form) for pattern in form.read_dates)
    return Conversion(f"coalesce({tried})", f"no such date in the form {' or '.join(form.read_dates)}")


def convert_datetime(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of an instant. Local times are read in the session's time zone, that of the goal."""
    tried = ", ".join(f"{instant_in(pattern, cell, form)}::timestamptz" for pattern in form.read_dates)
    return Conversion(f"coalesce({tried})", f"no such date and time in the form {' or '.join(form.read_dates)}")


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

    def shows_other(clock: str) -> str:
        """Whether a clock never shows this time, or shows it also under the offset of the day before."""
        zone, day_before = form.time_zone, f"({instant} - interval 24 hours)"
        earlier_offset = f"(epoch_us(timezone('{zone}', {day_before})) - epoch_us({day_before}))"
        other = f"make_timestamptz(epoch_us({clock}) - {earlier_offset})"
        shown = f"timezone('{zone}', {instant})"
        return f"({shown} <> {clock} or {other} <> {instant} and timezone('{zone}', {other}) = {clock})"

    # The local time is read by the pattern that reads the cell.
    locals_ = [(instant_in(pattern, cell, form), local_in(pattern, cell, form)) for pattern in form.read_dates]
    cases = " ".join(f"when {read} is not null then {local}" for read, local in locals_)
    local = f"case {cases} end" if len(locals_) > 1 else locals_[0][1]
    odd = naming(local, "clock", shows_other)
    return f"case when {near} then coalesce({odd}, false) else false end"


def is_doubtful_text(prop: Property, text: str, form: Format) -> str | None:
    """Return the same condition of a text that nothing has converted before, such as an element of a list."""
    condition = is_doubtful(text, "instant", form)
    return condition and naming(convert_datetime(prop, text, form).sql, "instant", lambda _: condition)
