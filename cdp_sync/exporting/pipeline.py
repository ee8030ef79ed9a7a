"""A whole export on one screen, in the words of its ops. In Dagster each of these calls is an op, or part of one."""

from pathlib import Path
from typing import Protocol

from cdp_sync.exporting.audiences.delivering import deliver_users, write_users
from cdp_sync.exporting.audiences.events import select_events_of_users
from cdp_sync.exporting.audiences.port import Audience
from cdp_sync.exporting.audiences.recording import record_users
from cdp_sync.exporting.campaigns import planned
from cdp_sync.exporting.events.delivering import deliver_event_files, write_event_files
from cdp_sync.exporting.events.recording import record_events
from cdp_sync.exporting.events.removing import Remover, remove_old_files
from cdp_sync.exporting.events.select import select_events, verify_events_recordable
from cdp_sync.exporting.files.delivering import Target, deliver_file, write_file
from cdp_sync.exporting.recording import record_delivery
from cdp_sync.exporting.run import EventRun, FileRun, UserRun
from cdp_sync.exporting.select import select_segment, verify_recordable
from cdp_sync.model import EventExportReport, ExportReport


class EventTarget(Target, Remover, Protocol):
    """What an export of events needs of a server."""


def export_file(run: FileRun, server: Target, uploads: Path) -> ExportReport:
    """Put a segment's profiles on a server, as a file; `uploads` is the folder where `clear_uploads` looks."""
    run = planned(run)
    counters = select_segment(run)
    verify_recordable(run, counters)
    file = write_file(run)
    delivered = deliver_file(run, server, file, uploads) if file else None
    return record_delivery(run, counters, delivered)


def export_events(run: EventRun, server: EventTarget, uploads: Path) -> EventExportReport:
    """Put events on a server, as files; `uploads` is the folder where `clear_uploads` looks."""
    counters = select_events(run)
    verify_events_recordable(run, counters)
    files = write_event_files(run)
    delivered = deliver_event_files(run, server, files, uploads) if files else ()
    removed = remove_old_files(run, lambda: server, [file.path for file in delivered])
    return record_events(run, counters, delivered, removed)


def export_users(run: UserRun, audience: Audience) -> ExportReport:
    """Bring a segment's profiles to a platform's users, and keep its lists; the audience connects only if needed."""
    counters = select_segment(run)
    verify_recordable(run, counters)
    users, leavers = write_users(run)
    events = select_events_of_users(run)
    if users or leavers or events:
        deliver_users(run, audience)
    return record_users(run, counters, leavers, events)
