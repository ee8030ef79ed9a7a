"""The declared connections as plain values, for the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cdp_sync.components.connection import ConnectionComponent
from cdp_sync.components.profile_model import declared_profiles
from cdp_sync.errors import DeclarationError, UnknownName
from cdp_sync.model import Connection, ExportGoal, ImportRules, Profiles
from cdp_sync.model.suggestion import one_of
from cdp_sync.orchestration.declared import defs_folder, read_declaration
from cdp_sync.orchestration.project import component_tree, reason_of


@dataclass(frozen=True)
class Declarations:
    """What the project declares."""

    profiles: Profiles
    connections: tuple[Connection, ...]

    def connection(self, name: str) -> Connection:
        """Return a connection.

        Raises:
            UnknownName: There is none of that name.
        """
        names = [connection.name for connection in self.connections]
        if name not in names:
            raise UnknownName(f"There is no connection {name!r}.", needed=one_of(name, names))
        return self.connections[names.index(name)]

    def goals(self, connection: str, name: str | None) -> tuple[ImportRules, ...]:
        """Return a connection's enabled import goals, or the one of that name.

        Raises:
            UnknownName: There is no such connection or goal.
        """
        every = self.connection(connection).import_profiles
        if name is None:
            return tuple(goal for goal in every if goal.enabled)
        if found := tuple(goal for goal in every if goal.name == name):
            return found
        raise _no_goal(connection, "import goal", name, [goal.name for goal in every])

    def export_goal(self, connection: str, name: str) -> ExportGoal:
        """Return an export goal of a connection.

        Raises:
            UnknownName: There is no such connection or goal.
        """
        every = self.connection(connection).export_profiles
        if found := next((goal for goal in every if goal.name == name), None):
            return found
        raise _no_goal(connection, "export goal", name, [goal.name for goal in every])


def _no_goal(connection: str, kind: str, name: str, names: Sequence[str]) -> UnknownName:
    return UnknownName(f"Connection {connection} has no {kind} {name!r}.", needed=one_of(name, names))


def load_declarations() -> Declarations:
    """Load every declaration and check it.

    Raises:
        DeclarationError: Tells of every slip in every file.
    """
    connections: list[Connection] = []
    slips: list[str] = []
    for file in sorted(defs_folder().glob("*/defs.yaml")):
        try:
            connections += _connections_in(file)
        except Exception as error:  # noqa: BLE001 - told together with the slips of other files
            slips.append(reason_of(error))
    if slips:
        raise DeclarationError("\n".join(dict.fromkeys(slips)))
    return Declarations(declared_profiles(), tuple(connections))


def _connections_in(file: Path) -> list[Connection]:
    read_declaration(file)
    tree = component_tree(file.parent)
    tree.build_defs()
    return [component.connection for component in tree.get_all_components(of_type=ConnectionComponent)]  # type: ignore[type-abstract]  # it asks `isinstance`
