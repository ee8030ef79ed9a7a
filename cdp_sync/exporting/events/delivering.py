"""Writes the staged events to local files, each complete or not at all, and puts them on the server."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cdp_sync.exporting.events.select import parts_of, verify_event_room
from cdp_sync.exporting.files.delivering import DeliveredFile, Draft, LocalFile, Target, publish, write_draft
from cdp_sync.exporting.run import EventRun, ResponseRun
from cdp_sync.quoting import quote_literal


def write_event_files(run: EventRun) -> tuple[LocalFile, ...]:
    """Write the files that are due; none where there is nothing to write.

    Raises:
        DiskFull: There is no room for them.
    """
    parts = parts_of(run)
    if not parts:
        return ()
    with run.open("none") as session:
        return tuple(write_draft(session, _draft(run, number, *part)) for number, part in enumerate(parts))


def _draft(run: EventRun, number: int, part: str, rows: int) -> Draft:
    goal, chosen = run.goal, f"ending = 'written' and part = {quote_literal(part)}"
    query = f"select line from staging.selected where {chosen}"
    header = [column.field for column in goal.map]
    return Draft(
        run.folder, f"complete_{number}", run.text_name(part), header, query, rows, goal.format, goal.file, run.now
    )


def deliver_event_files(
    run: EventRun | ResponseRun,
    server: Target,
    files: Sequence[LocalFile],
    uploads: Path,
    *,
    progress: Callable[[LocalFile, int], None] | None = None,
) -> tuple[DeliveredFile, ...]:
    """Publish all files in the goal's directory, if the delivery can be recorded; see `deliver_file`.

    Where one of them fails, those before it stay on the server. They are not recorded, so the next run publishes what
    they hold again.

    Raises:
        DiskFull: There is no room to note an upload, or to record the delivery.
        CdpSyncError: As the server's client raises it.
    """
    verify_event_room(run, sum(file.rows for file in files))
    delivered = []
    for file in files:

        def confirmed(reached: int, file: LocalFile = file) -> None:
            if progress:
                progress(file, reached)

        delivered.append(publish(server, file, run.path(file.name), uploads, progress=confirmed))
    return tuple(delivered)
