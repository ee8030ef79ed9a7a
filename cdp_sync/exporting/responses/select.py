"""Stages the rows of the mailings that are due, as they will be written. Only reads the warehouse."""

from collections.abc import Iterator
from dataclasses import replace

from cdp_sync.exporting.events.select import verify_event_room
from cdp_sync.exporting.responses.mailings import mailing_step, responses
from cdp_sync.exporting.responses.rows import counted_columns, link_columns, made_step, response_columns
from cdp_sync.exporting.run import ResponseRun
from cdp_sync.model import EVENT_COUNTERS, EventCounters
from cdp_sync.warehouse import EventColumns, Session, Step, event_columns, fixed, readable_columns

LINKS = "links"
"""What follows the mailing in the name of a file of all its links."""

_NAMES = {"one_file": f"'{LINKS}'", "by_link": "coalesce(nullif(link_id, ''), left(md5(link), 8))"}


def select_responses(run: ResponseRun, *, keep_cells: bool = False) -> EventCounters:
    """Stage the rows to deliver as `staging.selected`, with their cells if asked for; count the events in them.

    `staging.mailing` has the mailings that are due. Each of their events is in the row of its profile, and counts as
    that row ends.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column.
        DiskFull: The rows do not fit on the disk.
    """
    for leftover in (run.staging, run.staging.with_name(f"{run.staging.name}.wal")):
        leftover.unlink(missing_ok=True)
    with run.open("read") as session:
        session.set("force_compression", "uncompressed")  # rows stay here for seconds only
        session.run(_steps(session, run, event_columns(session), keep_cells=keep_cells))
        query = "select 'events_' || ending, sum(events)::bigint from staging.selected group by ending"
        ends = dict(session.rows(query))
        return EventCounters(sum(ends.values()), *(ends.get(name, 0) for name in EVENT_COUNTERS[1:]))


def verify_responses_recordable(run: ResponseRun) -> None:
    """Open the warehouse as recording does, and verify that it can grow. No-op where no mailing is due.

    Raises:
        DiskFull: There is no room for the ledger.
        WarehouseLocked: Another process holds the warehouse.
        WarehouseUnusable: It cannot be written.
    """
    if due := count_due(run):
        with run.open("write"):
            verify_event_room(run, due)


def response_parts(run: ResponseRun) -> list[tuple[int, str, str, int]]:
    """Return the files to write: number, mailing, link and rows of each; of a file of contacts the link is empty."""
    with run.open("none") as session:
        query = """
            select part, mailing, link, count(*)
            from staging.selected
            where ending = 'written'
            group by all
            order by part"""
        return session.rows(query)


def count_due(run: ResponseRun) -> int:
    """Return how many mailings are due."""
    with run.open("none") as session:
        return int(session.value("select count(*) from staging.mailing"))


def _steps(session: Session, run: ResponseRun, stored: EventColumns, *, keep_cells: bool) -> Iterator[Step]:
    columns, source = readable_columns(session, run.profiles), responses(run, stored)
    mailings = mailing_step(session, run, stored)
    yield replace(
        mailings, sql=f"create or replace table staging.mailing as\nselect * from ({mailings.sql}) where is_due"
    )
    yield fixed("contact", "exporting/responses/contact", responses=source, columns=counted_columns(run))
    contacts = made_step(run, "contact", response_columns(run), columns, keep_cells=keep_cells)
    yield replace(contacts, sql=f"create or replace table staging.made as\n{contacts.sql}")
    if run.goal.links != "none":
        yield fixed("link", "exporting/responses/link", responses=source, called=_NAMES[run.goal.links])
        links = made_step(run, "link", link_columns(), columns, keep_cells=keep_cells)
        yield replace(links, sql=f"insert into staging.made\n{links.sql}")
    yield fixed("selected", "exporting/responses/selected", {"fingerprint": run.fingerprint})
