"""What an author declares and what a run reports: frozen values. No I/O, no Dagster, no SQL but type names."""

from cdp_sync.model.connection import Connection, Notifications, SftpConnection, Watch
from cdp_sync.model.counting import counted
from cdp_sync.model.declared import Declared
from cdp_sync.model.delta import Append, Window
from cdp_sync.model.event import EventProperty, EventType, ItemProperty
from cdp_sync.model.event_export import EventColumn, EventExportGoal
from cdp_sync.model.event_import import EventImport, EventMapping, ItemsImport
from cdp_sync.model.event_report import EVENT_COUNTERS, EventCounters, EventExportReport
from cdp_sync.model.export import AudienceGoal, ExportColumn, ExportFile, ExportGoal, FileExportGoal
from cdp_sync.model.fingerprint import event_export_fingerprint, event_scope, export_fingerprint, fingerprint
from cdp_sync.model.format import WHITE_SPACE, ExportFormat, Format
from cdp_sync.model.goal import (
    Completeness,
    DetectedMapping,
    FileGoal,
    ImportGoal,
    ImportRules,
    Link,
    Mapping,
    RowRules,
)
from cdp_sync.model.group import GROUP_ID, GroupType
from cdp_sync.model.group_import import FileGroupGoal, GroupImport, GroupRules
from cdp_sync.model.kind import ConnectionKind, kind_of
from cdp_sync.model.lifecycle import COMPLETED, STAGE_CHANGED, UNASSIGNED, Lifecycle, Stage
from cdp_sync.model.privacy import CONSENT_PROPERTIES, Objective
from cdp_sync.model.profile import Profiles
from cdp_sync.model.property import Property
from cdp_sync.model.records import Records
from cdp_sync.model.remote import FetchedFile, Growing, Members, RemoteFile, SourceLook, Upload, UploadJournal
from cdp_sync.model.report import (
    COUNTERS,
    EXPORT_COUNTERS,
    ROW_ENDS,
    Counters,
    ExportCounters,
    ExportReport,
    FileReport,
    FileState,
    GoalState,
    ImportReport,
    ProfileSample,
    Report,
    Run,
)
from cdp_sync.model.rollup import Rollup
from cdp_sync.model.schedule import Maintenance, Schedule, WeekdayOfMonth
from cdp_sync.model.score import Rate, Score, Share
from cdp_sync.model.segment import Condition, Segment
from cdp_sync.model.server import SftpServer
from cdp_sync.model.window import EventWindow
