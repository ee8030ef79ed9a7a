"""Does what is declared fit together? All slips at once, each with its place and what is allowed."""

from collections.abc import Iterable, Iterator, Sequence

from cdp_sync.model.connection import Connection
from cdp_sync.model.export import ExportColumn, ExportGoal, FileExportGoal
from cdp_sync.model.goal import ImportRules, Link, Mapping
from cdp_sync.model.list_goal import PROFILE_ID, ListGoal
from cdp_sync.model.profile import Profiles, Property
from cdp_sync.model.suggestion import allowed
from cdp_sync.model.user_goal import UserExportGoal, UserLink

_PARTS = (
    "files", "checks", "scan_directory", "parse_files", "fetch_profiles", "link_identifiers", "upsert_profiles",
    "select_segment", "write_file", "write_users", "deliver_file", "deliver_users", "record_delivery",
)  # fmt: skip
"""What of a goal has a name of its own in Dagster's catalog."""


def find_slips(connection: Connection, profiles: Profiles) -> list[str]:
    """Return what does not fit, each as `path: what was found; what is allowed`."""
    objectives = [objective.name for objective in profiles.objectives]
    return [
        *(
            f"objectives[{index}]: {name!r} is unknown; {allowed(name, objectives)}"
            for index, name in enumerate(connection.objectives)
            if name not in objectives
        ),
        *(
            f"import_profiles[{index}].{slip}"
            for index, goal in enumerate(connection.import_profiles)
            for slip in _slips_of_import(goal, profiles)
        ),
        *(
            f"export_profiles[{index}].{slip}"
            for index, goal in enumerate(connection.export_profiles)
            for slip in _slips_of_export(goal, profiles)
        ),
    ]


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
        for listed, goal in _places_of_goals(connection):
            whole = f"{connection.name}__{goal}"
            own = [whole, *(f"{whole}__{part}" for part in _PARTS)]
            if clash := next((name for name in own if name in taken), None):
                yield place, f"{listed}.name: the catalog has {clash!r} for {taken[clash]}; choose another name"
            taken |= dict.fromkeys(own, f"goal {goal!r} of {connection.name}")


def _places_of_goals(connection: Connection) -> Iterator[tuple[str, str]]:
    for attribute in ("import_profiles", "export_profiles"):
        for index, goal in enumerate(getattr(connection, attribute)):
            yield f"{attribute}[{index}]", goal.name


def _slips_of_import(goal: ImportRules, profiles: Profiles) -> Iterator[str]:
    yield from _slips_of_links(goal.link, profiles)
    for index, mapping in enumerate(goal.map):
        prop = profiles.by_name.get(mapping.property)
        if prop is None:
            yield f"map[{index}].property: {_unknown(mapping.property, profiles.by_name)}"
        elif slip := _mode_slip(mapping, prop):
            yield f"map[{index}].mode: {slip}"
    if isinstance(goal, ListGoal):
        yield from _slips_of_list(goal, profiles)


def _slips_of_links(links: Iterable[Link | UserLink], profiles: Profiles) -> Iterator[str]:
    identifiers = [prop.name for prop in profiles.identifiers]
    for index, link in enumerate(links):
        if link.property not in identifiers:
            what = "is not an identifier" if link.property in profiles.by_name else "is unknown"
            yield f"link[{index}].property: {link.property!r} {what}; {allowed(link.property, identifiers)}"


def _slips_of_list(goal: ListGoal, profiles: Profiles) -> Iterator[str]:
    sid, name = profiles.by_name.get(PROFILE_ID), goal.list_name_property
    if sid is None or not sid.identifier or sid.multiple or sid.type != "text":
        found = "declared otherwise" if sid else "not declared"
        yield (
            f"lists: the property {PROFILE_ID}, which takes Sailthru's id of everybody, is {found}; "
            f"needed in the profile is {{name: {PROFILE_ID}, type: text, identifier: true}}"
        )
    if name and name not in profiles.by_name:
        yield f"list_name_property: {_unknown(name, profiles.by_name)}"
    elif name and profiles.by_name[name].type != "text":
        yield f"list_name_property: a list's name is text, and {name} is {profiles.by_name[name].type}"


def _mode_slip(mapping: Mapping, prop: Property) -> str | None:
    if mapping.mode == "add" and not prop.multiple:
        return f"'add' needs a property with `multiple: true`, and {prop.name} holds one value"
    if mapping.mode == "sum" and (prop.multiple or prop.type not in ("number", "decimal")):
        return f"'sum' needs a single number or decimal, and {prop.name} is {prop.sql_type.lower()}"
    return None


def _slips_of_export(goal: ExportGoal, profiles: Profiles) -> Iterator[str]:
    segments = [segment.name for segment in profiles.segments]
    if goal.segment not in segments:
        yield f"segment: {_unknown(goal.segment, segments)}"
    for index, column in enumerate(goal.map):
        yield from (f"map[{index}].{slip}" for slip in _slips_of_column(column, goal, profiles))
    if isinstance(goal, UserExportGoal):
        yield from _slips_of_links(goal.link, profiles)


def _slips_of_column(column: ExportColumn, goal: ExportGoal, profiles: Profiles) -> Iterator[str]:
    prop = profiles.by_name.get(column.property or "")
    if column.property and prop is None:
        yield f"property: {_unknown(column.property, profiles.by_name)}"
    if column.segments not in (None, "all"):
        segments = [segment.name for segment in profiles.segments]
        yield from (f"segments: {_unknown(name, segments)}" for name in column.segments or () if name not in segments)
    several = column.segments or (prop and prop.multiple)
    if several and isinstance(goal, FileExportGoal) and goal.format.multi_value is None:
        what = "segments" if column.segments else f"property: {column.property!r}"
        yield f"{what}: holds several values; needed is `format: {{multi_value: …}}`, what to put between them"


def _unknown(found: str, names: Iterable[str]) -> str:
    return f"{found!r} is unknown; {allowed(found, names)}"
