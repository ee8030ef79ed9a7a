"""Does what is declared fit together? All slips at once, each with its place and what is allowed."""

import difflib
from collections.abc import Iterable, Iterator

from cdp_sync.model.connection import Connection
from cdp_sync.model.export import ExportColumn, ExportGoal
from cdp_sync.model.goal import ImportGoal, Mapping
from cdp_sync.model.profile import Profiles, Property


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


def _slips_of_import(goal: ImportGoal, profiles: Profiles) -> Iterator[str]:
    identifiers = [prop.name for prop in profiles.identifiers]
    for index, link in enumerate(goal.link):
        if link.property not in identifiers:
            what = "is no identifier" if link.property in profiles.by_name else "is unknown"
            yield f"link[{index}].property: {link.property!r} {what}; {allowed(link.property, identifiers)}"
    for index, mapping in enumerate(goal.map):
        prop = profiles.by_name.get(mapping.property)
        if prop is None:
            yield f"map[{index}].property: {_unknown(mapping.property, profiles.by_name)}"
        elif slip := _mode_slip(mapping, prop):
            yield f"map[{index}].mode: {slip}"


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


def _slips_of_column(column: ExportColumn, goal: ExportGoal, profiles: Profiles) -> Iterator[str]:
    prop = profiles.by_name.get(column.property or "")
    if column.property and prop is None:
        yield f"property: {_unknown(column.property, profiles.by_name)}"
    if column.segments not in (None, "all"):
        segments = [segment.name for segment in profiles.segments]
        yield from (f"segments: {_unknown(name, segments)}" for name in column.segments or () if name not in segments)
    if goal.format.multi_value is None and (column.segments or (prop and prop.multiple)):
        what = "segments" if column.segments else f"property: {column.property!r}"
        yield f"{what}: holds several values; needed is `format: {{multi_value: …}}`, what to put between them"


def _unknown(found: str, names: Iterable[str]) -> str:
    return f"{found!r} is unknown; {allowed(found, names)}"


def allowed(found: str, names: Iterable[str]) -> str:
    """Return the sentence that says what could stand there, the likeliest first."""
    names = list(names)
    close = difflib.get_close_matches(found, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(names) or 'none is declared'}"
