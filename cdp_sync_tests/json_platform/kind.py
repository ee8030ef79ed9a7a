"""JSON files as a kind of connection."""

from cdp_sync.model import ConnectionKind

_HERE = "cdp_sync_tests.json_platform"

KIND = ConnectionKind(
    name="JsonConnection",
    platform="json",
    summary="Exchanges people with JSON files.",
    model=f"{_HERE}.goals:JsonConnection",
    server=f"{_HERE}.goals:JsonFolder",
    client=f"{_HERE}.client:JsonClient",
    check=f"{_HERE}.client:check",
    source=f"{_HERE}.source:JsonSource",
    audience=f"{_HERE}.audience:JsonAudience",
)
