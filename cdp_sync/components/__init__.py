"""The types that a defs.yaml names: what Dagster calls components. They check a declaration and hand it on.

Each kind of connection in the registry is one of them, such as `cdp_sync.components.SftpConnection`.
"""

from cdp_sync.components import declared
from cdp_sync.components.declared import Lifecycle, Maintenance, ProfileModel
from cdp_sync.model.kind import COMPONENTS, kind_of_type, kinds

__all__ = ["Lifecycle", "Maintenance", "ProfileModel"]


def __getattr__(name: str) -> type["declared.ConnectionComponent"]:
    """Make the type of a kind of connection when it is named for the first time."""
    kind = kind_of_type(f"{COMPONENTS}{name}")
    if kind is None:
        raise AttributeError(name)
    made: type[declared.ConnectionComponent] = globals().setdefault(name, declared.component_of(kind))
    return made


def __dir__() -> list[str]:
    """Name all types, for `dg list components` and the Docs tab."""
    return sorted([*globals(), *(kind.name for kind in kinds().values())])
