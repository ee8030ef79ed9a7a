"""What an author declares and what a run reports: frozen values. No I/O, no Dagster, no SQL but type names."""

from cdp_sync.model.audience_goal import AudienceGoal, AudienceLink
from cdp_sync.model.connection import Connection, SftpConnection
from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.export import ExportColumn, ExportFile, ExportGoal, FileExportGoal
from cdp_sync.model.export_report import EXPORT_COUNTERS, ExportCounters, ExportReport
from cdp_sync.model.fingerprint import export_fingerprint, fingerprint
from cdp_sync.model.format import ExportFormat, Format
from cdp_sync.model.goal import Completeness, DetectedMapping, FileGoal, ImportGoal, ImportRules, Link, Mapping
from cdp_sync.model.kind import ConnectionKind, kind_of
from cdp_sync.model.maintenance import Maintenance
from cdp_sync.model.notifications import Notifications
from cdp_sync.model.privacy import CONSENT_PROPERTIES, Objective
from cdp_sync.model.profile import Profiles, Property
from cdp_sync.model.remote import FetchedFile, RemoteFile, Upload, UploadJournal
from cdp_sync.model.report import (
    COUNTERS,
    ROW_ENDS,
    Counters,
    FileReport,
    GoalReport,
    ProfileSample,
    Report,
    RunCounters,
)
from cdp_sync.model.run import Run
from cdp_sync.model.schedule import Schedule, WeekdayOfMonth
from cdp_sync.model.segment import Condition, Segment
from cdp_sync.model.server import SftpServer
from cdp_sync.model.source_look import SourceLook
from cdp_sync.model.state import FileState, GoalState
from cdp_sync.model.watch import Watch

__all__ = [
    "CONSENT_PROPERTIES",
    "COUNTERS",
    "EXPORT_COUNTERS",
    "NAME_PATTERN",
    "ROW_ENDS",
    "AudienceGoal",
    "AudienceLink",
    "Completeness",
    "Condition",
    "Connection",
    "ConnectionKind",
    "Counters",
    "Declared",
    "DetectedMapping",
    "ExportColumn",
    "ExportCounters",
    "ExportFile",
    "ExportFormat",
    "ExportGoal",
    "ExportReport",
    "FetchedFile",
    "FileExportGoal",
    "FileGoal",
    "FileReport",
    "FileState",
    "Format",
    "GoalReport",
    "GoalState",
    "ImportGoal",
    "ImportRules",
    "Link",
    "Maintenance",
    "Mapping",
    "Notifications",
    "Objective",
    "ProfileSample",
    "Profiles",
    "Property",
    "RemoteFile",
    "Report",
    "Run",
    "RunCounters",
    "Schedule",
    "Segment",
    "SftpConnection",
    "SftpServer",
    "SourceLook",
    "Upload",
    "UploadJournal",
    "Watch",
    "WeekdayOfMonth",
    "export_fingerprint",
    "fingerprint",
    "kind_of",
]
