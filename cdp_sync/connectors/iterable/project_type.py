"""What answers show of a project's type: no call returns it, and users are identified by it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp_sync.connectors import disk
from cdp_sync.errors import DeclarationError

if TYPE_CHECKING:
    from cdp_sync.connectors.iterable.goals import IterableProject

_MEMBERSHIPS = {"email": "emailListIds", "user_id": "userListIds", "hybrid": "userListIds"}
"""The field with a user's static lists, by project type (Iterable's pages about project types)."""

_IDENTIFIED = {
    "email": "every user has an address",
    "user_id": "every user has a userId",
    "hybrid": "every user has a userId or an address",
}


def contradiction(project: "IterableProject", fields: Iterable[str], users: Sequence[Mapping[str, Any]]) -> str:
    """Return what contradicts the declared type in the project's fields and some of its users; empty: nothing."""
    declared = _MEMBERSHIPS[project.project_type]
    for held in (frozenset(fields), *(frozenset(user) for user in users)):
        other = sorted(held & frozenset(_MEMBERSHIPS.values()) - {declared})
        if other and declared not in held:
            types = " or ".join(name for name, field in _MEMBERSHIPS.items() if field in other)
            return str(_wrong(project, f"Users have {other[0]}, as in projects of the type {types}."))
    without = sum(not any(user.get(key) for key in project.keys) for user in users)
    return without_keys(project, "Most users have") if without * 2 > len(users) else ""


def without_keys(project: "IterableProject", who: str) -> str:
    """Return what is wrong where users lack what identifies users in a project of the declared type."""
    return str(_wrong(project, f"{who} no {' or '.join(project.keys)}."))


def check_members(project: "IterableProject", members: Path) -> None:
    """Make sure that a list's identifiers, one a line, are addresses in a project of addresses.

    Raises:
        DeclarationError: Some are none.
    """
    if project.project_type == "email":
        with disk.while_reading(members), members.open(encoding="utf-8") as lines:
            if any(line.strip() and "@" not in line for line in lines):
                raise _wrong(project, "The list has users without an address.")


def check_unknown(project: "IterableProject", members: Sequence[str]) -> None:
    """Make sure that unknown users are not all addresses in a project of userIds.

    Raises:
        DeclarationError: They are; the list is not empty.
    """
    if members and project.project_type == "user_id" and all("@" in member for member in members):
        raise _wrong(project, "The list has addresses, and none of them is the userId of a user.")


def _wrong(project: "IterableProject", found: str) -> DeclarationError:
    kind = project.project_type
    return DeclarationError(
        found,
        needed=f"Declared is project_type: {kind}; in such a project {_IDENTIFIED[kind]}.",
        remedy="Declare the project_type that the project's settings in Iterable show.",
    )
