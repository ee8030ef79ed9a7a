"""SFTP as a kind of connection: its goals exchange files, which the engines read and write."""

from cdp_sync.model.kind import ConnectionKind

KIND = ConnectionKind(
    name="SftpConnection",
    platform="sftp",
    summary="Exchanges delimited files with an SFTP server.",
    model="cdp_sync.model.connection:SftpConnection",
    server="cdp_sync.model.server:SftpServer",
    client="cdp_sync.connectors.sftp.client:SftpClient",
    check="cdp_sync.connectors.sftp.client:check",
    templated=("server",),
    preloaded=("cdp_sync.connectors.sftp.session",),
)
