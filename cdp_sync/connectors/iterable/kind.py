"""Iterable as a kind of connection."""

from cdp_sync.model.kind import ConnectionKind

_HERE = "cdp_sync.connectors.iterable"

KIND = ConnectionKind(
    name="IterableConnection",
    platform="iterable",
    summary="Exchanges users with Iterable.",
    model=f"{_HERE}.goals:IterableConnection",
    server=f"{_HERE}.goals:IterableProject",
    client=f"{_HERE}.client:IterableClient",
    check=f"{_HERE}.check:check",
    source=f"{_HERE}.source:source_of",
    audience=f"{_HERE}.audience:IterableAudience",
    templated=("base_url",),
    scaffolded=("data_center", "project_type", "import_profiles"),
)
