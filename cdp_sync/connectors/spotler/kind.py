"""Spotler's exchange as a kind of connection: files on an SFTP server, which the engines read."""

from cdp_sync.model.kind import ConnectionKind

KIND = ConnectionKind(
    name="SpotlerExchange",
    platform="spotler",
    summary="Imports contacts from files that have to be like one that was learned, and reports by mail.",
    model="cdp_sync.connectors.spotler.goals:SpotlerExchange",
    server="cdp_sync.model.server:SftpServer",
    client="cdp_sync.connectors.sftp.client:SftpClient",
    check="cdp_sync.connectors.sftp.client:check",
    templated=("server",),
    preloaded=("cdp_sync.connectors.sftp.session",),
)
