"""The types that a defs.yaml names: what Dagster calls components. They check a declaration and hand it on."""

from cdp_sync.components.maintenance import Maintenance
from cdp_sync.components.profile_model import ProfileModel
from cdp_sync.components.sailthru_connection import SailthruConnection
from cdp_sync.components.sftp_connection import SftpConnection

__all__ = ["Maintenance", "ProfileModel", "SailthruConnection", "SftpConnection"]
