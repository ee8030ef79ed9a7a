"""Linking rows to profiles in four steps: match, take, spread, create."""

from collections.abc import Collection
from typing import Any

from cdp_sync.model import Profiles
from cdp_sync_tests.oracle.row import LinkValue, Row

Profile = dict[str, Any]
"""The properties with a value."""

Holders = dict[LinkValue, list[int]]
"""The positions of the profiles that have a link value."""


def link_rows(
    rows: list[Row], live: list[Profile], declared: Profiles, *, allow_new: bool, apart: Collection[frozenset[int]]
) -> None:
    """Assign each row its profile, a position in `live`, and add the identifiers that profiles gain.

    Args:
        rows: The rows to link, in order, each with at least one link value.
        live: The live profiles in order of creation; new ones are appended.
        declared: The profile model.
        allow_new: Whether rows without a match create a profile.
        apart: Pairs of profiles that were decided to stay apart.
    """
    holders = holders_of(live, declared)
    for row in rows:
        match(row, holders, apart)
    taken = [value for row in linked(rows) for value in take(row, live, declared, holders)]
    for component in components(unlinked(rows)):
        spread(component, taken, holders)
    for row in linked(rows):
        take(row, live, declared, holders)
    for component in components(unlinked(rows)) if allow_new else []:
        create(component, live, declared, holders)


def linked(rows: list[Row]) -> list[Row]:
    """Return the rows with a profile."""
    return [row for row in rows if row.profile is not None]


def unlinked(rows: list[Row]) -> list[Row]:
    """Return the rows without a profile."""
    return [row for row in rows if row.profile is None]


def holders_of(live: list[Profile], declared: Profiles) -> Holders:
    """Return the profiles that have each link value."""
    holders: Holders = {}
    for place, profile in enumerate(live):
        for value in values_held(profile, declared):
            holders.setdefault(value, []).append(place)
    return holders


def values_held(profile: Profile, declared: Profiles) -> list[LinkValue]:
    """Return the identifiers of a profile as texts, by property."""
    found = []
    for prop in declared.identifiers:
        value = profile.get(prop.name)
        found += [(prop.name, str(one)) for one in (value if isinstance(value, list) else [value]) if one is not None]
    return found


def match(row: Row, holders: Holders, apart: Collection[frozenset[int]]) -> None:
    """Step 1: the first link that matches a live profile decides; of several profiles the newest.

    A row with the same links as before stays with its profile, unless it names only others by now that were decided to
    be somebody else.
    """
    found_by_any: set[int] = set()
    for values in row.by_link:
        found = {place for value in values for place in holders.get(value, [])}
        found_by_any |= found
        if found and row.profile is None:
            row.profile = max(found)
    if row.stays and row.former and row.former.profile is not None:
        former = row.former.profile
        if former in found_by_any or not any(frozenset((former, one)) in apart for one in found_by_any):
            row.profile = former
    row.found = frozenset(found_by_any)
    row.ambiguous = len(found_by_any) > 1


def take(row: Row, live: list[Profile], declared: Profiles, holders: Holders) -> list[LinkValue]:
    """Step 2: the profile takes free values; a property that is not `multiple` takes one, if it is empty."""
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
    """Group rows that share link values, directly or through other rows, in order of their first rows.

    Each row starts as a group of its own. Rows that share a value move to the earliest of their groups, until no row
    moves.
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
    """Step 3: rows that share a value taken by a profile belong to it; the value taken first decides."""
    values = {value for row in component for value in row.values}
    for value in taken:
        if value in values:
            for row in component:
                row.profile = holders[value][0]
            return


def create(component: list[Row], live: list[Profile], declared: Profiles, holders: Holders) -> None:
    """Step 4: a group without a match becomes a profile, with all values of `multiple` properties."""
    live.append({})
    for row in component:
        row.profile = len(live) - 1
        take(row, live, declared, holders)
