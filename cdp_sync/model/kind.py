"""Kinds of connections: what each is called, and where its parts are. The one registry of platforms.

A part is written `module:name` and imported when it is used: to list the kinds imports neither a client nor an engine.
A package of its own registers a platform by an entry point of the group `cdp_sync.platforms` that names its kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationInfo, WrapValidator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

ENTRY_POINTS = "cdp_sync.platforms"
COMPONENTS = "cdp_sync.components."
"""What the type in a defs.yaml begins with."""

_OF_PROJECT = {f"{COMPONENTS}{name}" for name in ("Lifecycle", "Maintenance", "ProfileModel")}
"""Our types that are no connections; looking for installed kinds takes longer than reading a project."""

_BUILT_IN = (
    "cdp_sync.connectors.sftp.kind:KIND",
    "cdp_sync.connectors.sailthru.kind:KIND",
    "cdp_sync.connectors.iterable.kind:KIND",
    "cdp_sync.connectors.bluecore.kind:KIND",
    "cdp_sync.connectors.spotler.kind:KIND",
)


@dataclass(frozen=True)
class ConnectionKind:
    """A kind of connection. A platform is one folder and this value.

    Args:
        name: Of the component type: `type: cdp_sync.components.<name>`.
        platform: One word, shown on its assets in Dagster's catalog.
        summary: One sentence, for the list of component types.
        model: The declared connection, a subclass of `Connection`.
        server: The declared value that says how to reach the platform; see `Connection.server_value`.
        client: Makes what talks to the platform of that value: a context manager, which connects when it is used.
        check: Yields, for a connection and the declared profile, sentences and whether each is as it should be; it
            changes nothing.
        source: Makes a `Source` of a client; none where goals import files that the client lists and fetches.
        audience: Makes an `Audience` of a client and a goal; none where goals export files that the client uploads.
        templated: Attributes whose text, or the text in whose fields, may be a template.
        preloaded: Modules that the client imports when it connects; a run imports them before its work begins.
        scaffolded: Optional attributes that `dg scaffold defs` writes, beside those that are required.
    """

    name: str
    platform: str
    summary: str
    model: str
    server: str
    client: str
    check: str
    source: str | None = None
    audience: str | None = None
    templated: tuple[str, ...] = ()
    scaffolded: tuple[str, ...] = ("import_profiles",)
    preloaded: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """What a defs.yaml names."""
        return f"{COMPONENTS}{self.name}"

    def part(self, name: str) -> Any:  # noqa: ANN401 - classes and functions
        """Import and return a part, such as `client`."""
        return _imported(getattr(self, name))


def kinds() -> dict[str, ConnectionKind]:
    """Return all kinds of connections, by the type that a defs.yaml names."""
    return {kind.type: kind for kind in _every()}


def kind_of_type(name: str) -> ConnectionKind | None:
    """Return the kind that a defs.yaml names; None for any other type."""
    if name in _OF_PROJECT:
        return None
    return next((kind for kind in _every() if kind.type == name), None)


def kind_of(connection: object) -> ConnectionKind:
    """Return the kind of a declared connection."""
    names = [f"{each.__module__}:{each.__qualname__}" for each in type(connection).__mro__]
    # A kind may extend another one, so the class itself comes first.
    return next(kind for name in names for kind in _every() if kind.model == name)


def _every() -> Iterator[ConnectionKind]:
    """Yield all kinds, the built-in ones first: to look for installed ones takes time."""
    yield from map(_imported, _BUILT_IN)
    yield from _installed()


@cache
def _installed() -> tuple[ConnectionKind, ...]:
    return tuple(point.load() for point in entry_points(group=ENTRY_POINTS))


def _imported(part: str) -> Any:  # noqa: ANN401 - whatever it names
    module, _, name = part.partition(":")
    return getattr(import_module(module), name)


FILLED = {"templates": "filled"}
"""The context in which a value is validated that is no template any more."""


def template_or(kind: type) -> WrapValidator:
    """Return the validator of an attribute that may be a template, such as `{{ env('PORT') }}`, until it is filled."""

    def check(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
        is_template = isinstance(value, str) and "{{" in value and info.context != FILLED
        return value if is_template else handler(value)

    return WrapValidator(check, json_schema_input_type=kind | str)
