"""Does what is declared fit together? All problems at once, each with its place and what is allowed."""

from collections.abc import Iterator, Sequence

from cdp_sync.model.connection import Connection
from cdp_sync.model.profile import Profiles
from cdp_sync.model.suggestion import allowed

_PARTS = (
    "files", "checks", "scan_directory", "parse_files", "fetch_profiles", "link_identifiers", "upsert_profiles",
    "select_segment", "write_file", "write_users", "deliver_file", "deliver_users", "record_delivery",
)  # fmt: skip
"""Parts of a goal that have names of their own in Dagster's catalog."""

_LISTED = ("import_profiles", "export_profiles")


def find_problems(connection: Connection, profiles: Profiles) -> list[str]:
    """Return what does not fit, each as `path: what was found; what is allowed`."""
    objectives = [objective.name for objective in profiles.objectives]
    found = [
        f"objectives[{index}]: {name!r} is unknown; {allowed(name, objectives)}"
        for index, name in enumerate(connection.objectives)
        if name not in objectives
    ]
    for listed in _LISTED:
        for index, goal in enumerate(getattr(connection, listed)):
            found += [f"{listed}[{index}].{problem}" for problem in goal.problems(profiles)]
    return found


def find_clashes(connections: Sequence[Connection]) -> Iterator[tuple[int, str]]:
    """Yield what two connections, or two goals, cannot both be called: the later one's place, and what is wrong.

    In Dagster's catalog a goal takes its connection's name and its own, joined by two underscores, for itself, its
    steps, its files and its checks.
    """
    names: set[str] = set()
    taken: dict[str, str] = {}
    for place, connection in enumerate(connections):
        if connection.name in names:
            yield place, f"name: another connection is called {connection.name!r}; choose another name"
            continue
        names.add(connection.name)
        goals = [
            (f"{each}[{index}]", goal.name) for each in _LISTED for index, goal in enumerate(getattr(connection, each))
        ]
        for listed, goal in goals:
            whole = f"{connection.name}__{goal}"
            own = [whole, *(f"{whole}__{part}" for part in _PARTS)]
            if clash := next((name for name in own if name in taken), None):
                yield place, f"{listed}.name: the catalog has {clash!r} for {taken[clash]}; choose another name"
            taken |= dict.fromkeys(own, f"goal {goal!r} of {connection.name}")
