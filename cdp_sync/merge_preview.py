"""What `merges` and the previews of `merge` and `unmerge` show: which profiles are one, or would be."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cdp_sync.errors import UnknownName
from cdp_sync.merging import Merges, apply_rules, decisions, merge_by_hand, parts_of, unmerge
from cdp_sync.merging.deciding import part_named
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declaration_files import declared_profiles
from cdp_sync.warehouse.history import profiles_named


def look_at_decisions(value: str | None, rule: str | None, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how many decisions there are, and the latest: of all, of the profile that a value names, or by a rule.

    Raises:
        UnknownName: No profile is named so.
    """
    with project_warehouse().open("read") as session:
        if value is not None and not profiles_named(session, value):
            raise UnknownName("No profile has this identifier or id.")
        return decisions(session, profile=value, rule=rule, limit=limit)


def id_named(value: str, *, alone: bool = False) -> str:
    """Return the id of the profile, merged or not, that an id or the value of an identifier names.

    Of several that are merged into one, the newest; with `alone`, a value that several have names none.

    Raises:
        UnknownName: It names no profile, or several.
    """
    with project_warehouse().open("read") as session:
        return str(part_named(session, value, alone=alone))


@dataclass(frozen=True)
class MergePreview:
    """What rules or a decision would do, and the profiles that a decision is about."""

    merges: Merges
    parts: tuple[dict[str, Any], ...] = ()
    """The profiles as they are by themselves: `profile_id`, `created_at`, and `then`, what happens to each."""

    def to_json(self) -> dict[str, Any]:
        """Return the preview as `--preview --json` shows it."""
        return {**merges_json(self.merges), "parts": list(self.parts)}


def merges_json(merges: Merges) -> dict[str, Any]:
    """Return what was or would be merged, as commands show it with `--json`."""
    blocked = [{**asdict(each), "message": each.words} for each in merges.blocked]
    return {**asdict(merges), "blocked": blocked}


def preview_rules() -> MergePreview:
    """Return what the merge rules would do now to all profiles."""
    warehouse, profiles = project_warehouse(), declared_profiles()
    if not warehouse.exists():  # opening it to write would make it
        return MergePreview(Merges())
    return MergePreview(apply_rules(warehouse, profiles, run_id="preview", now=datetime.now(UTC), preview=True))


def preview_merge(left: str, right: str, *, decided_by: str) -> MergePreview:
    """Return what a merge by hand would do to two profiles, given by id."""
    warehouse, profiles, now = project_warehouse(), declared_profiles(), datetime.now(UTC)
    merges = merge_by_hand(
        warehouse, profiles, left, right, decided_by=decided_by, run_id="preview", now=now, preview=True
    )
    every = {part["profile_id"]: {**part, "then": "merges"} for side in (left, right) for part in _parts(side)}
    return MergePreview(merges, tuple(every.values()))


def preview_unmerge(
    profile: str, *, survivor: str | None, identifiers: tuple[str, ...], decided_by: str
) -> MergePreview:
    """Return what it would do to take a profile, or some identifiers, out of another; both are given by id."""
    warehouse, profiles, now = project_warehouse(), declared_profiles(), datetime.now(UTC)
    merges = unmerge(
        warehouse, profiles, profile, survivor=survivor, identifiers=identifiers, decided_by=decided_by,
        run_id="preview", now=now, preview=True,
    )  # fmt: skip
    if identifiers:
        return MergePreview(merges)
    parts = _parts(profile)
    ends = ("leaves" if str(part["profile_id"]) == profile else "stays" for part in parts)
    return MergePreview(merges, tuple({**part, "then": end} for part, end in zip(parts, ends, strict=True)))


def _parts(profile_id: str) -> list[dict[str, Any]]:
    """Return the parts of the live profile that a profile belongs to."""
    with project_warehouse().open("read") as session:
        (live,) = profiles_named(session, profile_id)
        parts = parts_of(session, live["profile_id"])
    return [{name: part[name] for name in ("profile_id", "created_at")} for part in parts]
