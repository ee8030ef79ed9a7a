"""Sailthru as a kind of connection."""

from cdp_sync.model.kind import ConnectionKind

_HERE = "cdp_sync.connectors.sailthru"

KIND = ConnectionKind(
    name="SailthruConnection",
    platform="sailthru",
    summary="Exchanges people with Sailthru.",
    model=f"{_HERE}.goals:SailthruConnection",
    server=f"{_HERE}.goals:SailthruAccount",
    client=f"{_HERE}.client:SailthruClient",
    check=f"{_HERE}.client:check",
    source=f"{_HERE}.source:SailthruSource",
    audience=f"{_HERE}.audience:SailthruAudience",
    templated=("base_url",),
    scaffolded=("time_zone", "import_profiles"),
)
