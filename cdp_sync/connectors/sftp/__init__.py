"""SFTP: listing directories, fetching files and publishing them, over paramiko.

`SftpClient` is the door; everything else here serves it. Nothing in this package knows the warehouse or Dagster.
paramiko takes most of a second to import, so it is loaded when a connection is opened and not before.
"""

from cdp_sync.connectors.sftp.client import SftpClient

__all__ = ["SftpClient"]
