"""Delta `window`: the periods of two reads overlap, and a row that its key has brought before is unchanged.

Rows compare by key, as those of any goal with `row_key` do. What a window adds is its watermark: the highest time that
was read, written in the transaction that lands the rows. Reading a period again changes nothing.
"""

from cdp_sync.errors import FileRejected, GoalFailed
from cdp_sync.importing.converting.conversion import convert_one
from cdp_sync.importing.reading.normalize import NormalizedPart
from cdp_sync.importing.staging.plan import Cells, read_part
from cdp_sync.model import ImportGoal, Property
from cdp_sync.model.delta import Window
from cdp_sync.warehouse import Step

_TIME = Property(name="time", type="datetime")


def highest_time_step(window: Window, part: NormalizedPart, goal: ImportGoal, file: int) -> Step:
    """Return the step that notes the highest time among the rows of a part; a time that does not convert is left out.

    Raises:
        GoalFailed: The goal has no `row_key`.
        FileRejected: The part has no such field.
    """
    if not goal.row_key:
        raise GoalFailed(
            f"Goal {goal.name!r} reads windows without a row_key.",
            needed="The periods of two reads overlap: rows must have keys.",
            remedy="Declare as row_key the fields that identify a row in its sender's system.",
        )
    cell = Cells(part.head.columns, constants=part.constants).fitted(window.time_field, _TIME, goal.format)
    if cell is None:
        raise FileRejected(
            f"No row has the time field {window.time_field!r}.",
            needed="Without it, nothing says how far the stream was read.",
            remedy="Correct the time field, or have it delivered.",
        )
    relation, values = read_part(part, goal.format)
    instant = convert_one(_TIME, "cell", goal.format).sql
    sql = f"""insert into staging.watermark
select $file, $stream, 'window', strftime(timezone('UTC', max({instant})), '%Y-%m-%dT%H:%M:%S.%fZ')
from (select {cell.sql} as cell from {relation})
having max({instant}) is not null"""
    return Step("staging.watermark", sql, {**values, "file": file, "stream": window.stream})
