"""Does a goal fit the declared profile? All slips at once, each with its place and what is allowed."""

import difflib
from collections.abc import Iterable, Iterator

from cdp_sync.model.connection import Connection
from cdp_sync.model.goal import ImportGoal, Mapping
from cdp_sync.model.profile import Profiles, Property


def find_slips(connection: Connection, profiles: Profiles) -> list[str]:
    """Return what does not fit, each as `path: what was found; what is allowed`."""
    return [
        f"import_profiles[{index}].{slip}"
        for index, goal in enumerate(connection.import_profiles)
        for slip in _slips_of_goal(goal, profiles)
    ]


def _slips_of_goal(goal: ImportGoal, profiles: Profiles) -> Iterator[str]:
    identifiers = [prop.name for prop in profiles.identifiers]
    for index, link in enumerate(goal.link):
        if link.property not in identifiers:
            what = "is no identifier" if link.property in profiles.by_name else "is unknown"
            yield f"link[{index}].property: {link.property!r} {what}; {_allowed(link.property, identifiers)}"
    for index, mapping in enumerate(goal.map):
        prop = profiles.by_name.get(mapping.property)
        if prop is None:
            found = f"{mapping.property!r} is unknown"
            yield f"map[{index}].property: {found}; {_allowed(mapping.property, profiles.by_name)}"
        elif slip := _mode_slip(mapping, prop):
            yield f"map[{index}].mode: {slip}"


def _mode_slip(mapping: Mapping, prop: Property) -> str | None:
    if mapping.mode == "add" and not prop.multiple:
        return f"'add' needs a property with `multiple: true`, and {prop.name} holds one value"
    if mapping.mode == "sum" and (prop.multiple or prop.type not in ("number", "decimal")):
        return f"'sum' needs a single number or decimal, and {prop.name} is {prop.sql_type.lower()}"
    return None


def _allowed(found: str, names: Iterable[str]) -> str:
    names = list(names)
    close = difflib.get_close_matches(found, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(names) or 'none is declared'}"
