"""Profiles of a segment to a file, or to users, and events to files. No Dagster and no protocol."""

from cdp_sync.exporting.audiences.delivering import deliver_users, write_users
from cdp_sync.exporting.audiences.events import select_events_of_users
from cdp_sync.exporting.audiences.recording import record_users
from cdp_sync.exporting.campaigns import planned
from cdp_sync.exporting.events.delivering import deliver_event_files, write_event_files
from cdp_sync.exporting.events.recording import record_events
from cdp_sync.exporting.events.removing import RemovedFile, remove_old_files
from cdp_sync.exporting.events.select import select_events, verify_events_recordable
from cdp_sync.exporting.files.delivering import DeliveredFile, LocalFile, deliver_file, write_file
from cdp_sync.exporting.files.uploads import clear_uploads
from cdp_sync.exporting.pipeline import export_events, export_file, export_users
from cdp_sync.exporting.recording import record_delivery
from cdp_sync.exporting.run import DeliveryRun, EventRun, ExportRun, FileRun, UserRun
from cdp_sync.exporting.select import select_segment, verify_recordable, verify_room
from cdp_sync.exporting.touches.reserving import release
