"""What an author declares and what a run reports: frozen values. No I/O, no Dagster, no SQL but type names."""

from cdp_sync.model.connection import Connection
from cdp_sync.model.declared import NAME_PATTERN, Declared
from cdp_sync.model.fingerprint import fingerprint
from cdp_sync.model.format import Format
from cdp_sync.model.goal import Completeness, DetectedMapping, ImportGoal, Link, Mapping
from cdp_sync.model.profile import Profiles, Property
from cdp_sync.model.remote import FetchedFile, RemoteFile
from cdp_sync.model.report import COUNTERS, ROW_ENDS, Counters, FileReport, GoalReport, ProfileSample
from cdp_sync.model.server import SftpServer

__all__ = [
    "COUNTERS",
    "NAME_PATTERN",
    "ROW_ENDS",
    "Completeness",
    "Connection",
    "Counters",
    "Declared",
    "DetectedMapping",
    "FetchedFile",
    "FileReport",
    "Format",
    "GoalReport",
    "ImportGoal",
    "Link",
    "Mapping",
    "ProfileSample",
    "Profiles",
    "Property",
    "RemoteFile",
    "SftpServer",
    "fingerprint",
]
