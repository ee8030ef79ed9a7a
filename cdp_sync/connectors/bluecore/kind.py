"""Bluecore's exports as a kind of connection, over an SFTP server."""

from cdp_sync.model.kind import ConnectionKind

KIND = ConnectionKind(
    name="BluecoreExports",
    platform="bluecore",
    summary="Writes Bluecore's exports to an SFTP server: audiences, e-mail events and unsubscribes.",
    model="cdp_sync.connectors.bluecore.goals:BluecoreExports",
    server="cdp_sync.model.server:SftpServer",
    client="cdp_sync.connectors.sftp.client:SftpClient",
    check="cdp_sync.connectors.sftp.client:check",
    templated=("server",),
    preloaded=("cdp_sync.connectors.sftp.session",),
    scaffolded=("esp_events",),
)
