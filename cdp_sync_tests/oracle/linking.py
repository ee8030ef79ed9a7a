"""Which profile does a row belong to: match, take, spread, new."""

from typing import Any

from cdp_sync.model import Profiles
from cdp_sync_tests.oracle.row import LinkValue, Row

Profile = dict[str, Any]
"""The properties that are not empty."""

Holders = dict[LinkValue, list[int]]
"""The profiles, by their places in the list, that hold a value."""


def link_rows(rows: list[Row], live: list[Profile], declared: Profiles, allow_new: bool) -> None:
    """Give every row its profile, a place in `live`, and write the values that profiles gain by it.

    Args:
        rows: The rows to link, in order, each with at least one link value.
        live: The live profiles in order of creation; new ones are appended.
        declared: The declared profile.
        allow_new: Whether rows that match nobody create a profile.
    """
    holders = holders_of(live, declared)
    for row in rows:
        match(row, holders)
    taken = [value for row in linked(rows) for value in take(row, live, declared, holders)]
    for component in components(unlinked(rows)):
        spread(component, taken, holders)
    for row in linked(rows):
        take(row, live, declared, holders)
    for component in components(unlinked(rows)) if allow_new else []:
        create(component, live, declared, holders)


def linked(rows: list[Row]) -> list[Row]:
    """Return the rows that have a profile."""
    return [row for row in rows if row.profile is not None]


def unlinked(rows: list[Row]) -> list[Row]:
    """Return the rows that have none."""
    return [row for row in rows if row.profile is None]


def holders_of(live: list[Profile], declared: Profiles) -> Holders:
    """Return which profiles hold which link values."""
    holders: Holders = {}
    for place, profile in enumerate(live):
        for value in values_held(profile, declared):
            holders.setdefault(value, []).append(place)
    return holders


def values_held(profile: Profile, declared: Profiles) -> list[LinkValue]:
    """Return the identifiers of a profile, property by property, in text form."""
    found = []
    for prop in declared.identifiers:
        value = profile.get(prop.name)
        found += [(prop.name, str(one)) for one in (value if isinstance(value, list) else [value]) if one is not None]
    return found


def match(row: Row, holders: Holders) -> None:
    """1. The first link that finds a live profile decides; of several the most recently created."""
    found_by_any: set[int] = set()
    for values in row.by_link:
        found = {place for value in values for place in holders.get(value, [])}
        found_by_any |= found
        if found and row.profile is None:
            row.profile = max(found)
    if row.stays and row.former:
        row.profile = row.former.profile
    row.ambiguous = len(found_by_any) > 1


def take(row: Row, live: list[Profile], declared: Profiles, holders: Holders) -> list[LinkValue]:
    """2. The row's profile takes values that nobody holds: all for a `multiple` property, else only if it is empty."""
    taken = []
    place = row.profile
    assert place is not None
    profile = live[place]
    for name, value in row.values:
        prop = declared.by_name[name]
        if (name, value) in holders or not (prop.multiple or profile.get(name) is None):
            continue
        typed = int(value) if prop.type == "number" else value
        profile[name] = [*profile.get(name, []), typed] if prop.multiple else typed
        holders[name, value] = [place]
        taken.append((name, value))
    return taken


def components(rows: list[Row]) -> list[list[Row]]:
    """Join rows that share a link value, directly or through others; in order of their first rows.

    Every row starts as a group of its own. Rows that share a value all go to the earliest group among them, until
    nobody moves any more.
    """
    groups = list(range(len(rows)))
    moved = True
    while moved:
        earliest: dict[LinkValue, int] = {}
        for row, group in zip(rows, groups, strict=True):
            for value in row.values:
                earliest[value] = min(group, earliest.get(value, group))
        before, groups = groups, [min(earliest[value] for value in row.values) for row in rows]
        moved = groups != before
    joined: dict[int, list[Row]] = {}
    for row, group in zip(rows, groups, strict=True):
        joined.setdefault(group, []).append(row)
    return list(joined.values())


def spread(component: list[Row], taken: list[LinkValue], holders: Holders) -> None:
    """3. Rows joined by a value that a matched row brought belong to its profile; the earliest taken decides."""
    values = {value for row in component for value in row.values}
    for value in taken:
        if value in values:
            for row in component:
                row.profile = holders[value][0]
            return


def create(component: list[Row], live: list[Profile], declared: Profiles, holders: Holders) -> None:
    """4. A group that nobody knows becomes a profile: all values of a `multiple` property, the first of others."""
    live.append({})
    for row in component:
        row.profile = len(live) - 1
        take(row, live, declared, holders)
