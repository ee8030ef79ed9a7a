"""Decisions about who is who: by the rules for everybody, and by hand. Each is one transaction, or a preview of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from cdp_sync.errors import CannotMerge, CannotUnmerge, UnknownName
from cdp_sync.merging.evidence import SQL
from cdp_sync.merging.joining import Moment, join_profiles
from cdp_sync.merging.report import Merges
from cdp_sync.merging.splitting import split_identifiers
from cdp_sync.model import Profiles
from cdp_sync.model.mail_address import folded
from cdp_sync.warehouse import Session, Warehouse, statement, sync_events, sync_properties


def apply_rules(
    warehouse: Warehouse, profiles: Profiles, *, run_id: str, now: datetime, preview: bool = False
) -> Merges:
    """Merge all profiles that the declared rules make one."""
    with _deciding(warehouse, profiles, preview=preview) as session:
        _check(session, "select profile_id from warehouse.profile")
        return join_profiles(session, profiles, Moment(run_id, now))


def merge_by_hand(
    warehouse: Warehouse,
    profiles: Profiles,
    left: str,
    right: str,
    *,
    decided_by: str,
    run_id: str,
    now: datetime,
    preview: bool = False,
) -> Merges:
    """Make two profiles one, whatever rules say; each is given by its id, or by the value of an identifier.

    Earlier decisions that keep parts of them apart are revoked.

    Raises:
        UnknownName: There is no such profile.
        CannotMerge: They are one already.
    """
    with _deciding(warehouse, profiles, preview=preview) as session:
        parts = {"left": part_named(session, left), "right": part_named(session, right)}
        lives = [live_id(session, part) for part in parts.values()]
        if lives[0] == lives[1]:
            raise CannotMerge("They are one profile already.", needed="Two different profiles are needed.")
        values = {**parts, "run_id": run_id, "now": now, "by": decided_by}
        session.execute(statement(f"{SQL}/together_again"), {"left": lives[0], "right": lives[1], "now": now})
        session.execute(statement(f"{SQL}/decided_by_hand"), values)
        _check(session, "select unnest([$left, $right]::uuid[])", parts)
        return join_profiles(session, profiles, Moment(run_id, now), every=True)


def unmerge(
    warehouse: Warehouse,
    profiles: Profiles,
    profile: str,
    *,
    survivor: str | None = None,
    identifiers: Sequence[str] = (),
    decided_by: str,
    run_id: str,
    now: datetime,
    preview: bool = False,
) -> Merges:
    """Take a profile out of the one that it is merged with, for good: neither rules nor files merge them again.

    With `identifiers`, what is named by these values becomes a profile of its own: parts all of whose identifiers are
    named, and a new one with the values that others lose.

    Raises:
        UnknownName: There is no such profile.
        CannotUnmerge: It is not merged, or not into `survivor`; or the identifiers are not its own, or all it has.
    """
    with _deciding(warehouse, profiles, preview=preview) as session:
        part = part_named(session, profile, alone=not identifiers)
        live = live_id(session, part)
        every = [each for (each,) in session.rows(statement(f"{SQL}/parts"), {"live": live})]
        if survivor is not None and live_id(session, part_named(session, survivor)) != live:
            raise CannotUnmerge("The profile is not merged into that one.", remedy="`cdp-sync merges` shows who is.")
        moment = Moment(run_id, now)
        if identifiers:
            leaving = split_identifiers(session, profiles, live, identifiers, moment, decided_by)
        elif len(every) == 1:
            raise CannotUnmerge(
                "The profile is not merged with another one.", remedy="`cdp-sync merges` shows what was merged."
            )
        else:
            leaving = [part]
        apart: dict[str, object] = {
            "leaving": leaving,
            "staying": [each for each in every if each not in leaving],
            "now": now,
        }
        session.execute(statement(f"{SQL}/revoked_by_hand"), apart)
        session.execute(statement(f"{SQL}/kept_apart"), {**apart, "run_id": run_id, "by": decided_by})
        _check(session, "select unnest($parts::uuid[])", {"parts": list({*every, *leaving})})
        found = join_profiles(session, profiles, moment, every=True)
        others = tuple(each for each in found.blocked if each.guard != "keep_apart")
        return replace(found, blocked=others, split=len(set(leaving) - set(every)))


def part_named(session: Session, value: str, *, alone: bool = False) -> UUID:
    """Return the id of the profile by itself that an id or the value of an identifier names.

    Of several that are one live profile, the newest; with `alone`, a value that several have names none.

    Raises:
        UnknownName: There is none, or there are several.
    """
    plain = value.strip()
    found = session.rows(statement(f"{SQL}/named"), {"value": plain, "folded": folded(plain)})
    if not found:
        raise UnknownName("No profile has this identifier or id.")
    if len(found) > 1 and (alone or len({live for _, live in found}) > 1):
        raise UnknownName(
            f"{len(found)} profiles have this identifier.",
            needed="The id of one of them is needed.",
            remedy="`cdp-sync profile VALUE` shows their ids.",
        )
    return UUID(str(found[0][0]))


def live_id(session: Session, part: UUID) -> UUID:
    """Return the id of the live profile that shows a profile."""
    return UUID(
        str(
            session.value(
                "select coalesce(merged_into, profile_id) from warehouse.profile where profile_id = $part",
                {"part": part},
            )
        )
    )


def _check(session: Session, query: str, values: Mapping[str, object] | None = None) -> None:
    found = f"select * from ({query}) as found (profile_id)"
    session.execute(f"create or replace temp table checked_profile as {found}", values)
    session.execute("create or replace temp table merge_candidate (profile_id uuid)")


@contextmanager
def _deciding(warehouse: Warehouse, profiles: Profiles, *, preview: bool) -> Iterator[Session]:
    """Yield the session of one transaction; it is rolled back where it fails, and after a preview."""
    with warehouse.open("write") as session:
        sync_properties(session, profiles)
        sync_events(session, profiles)
        session.begin()
        try:
            yield session
            session.execute("update warehouse.revision set number = number + 1")
        except BaseException:
            session.roll_back()
            raise
        session.execute("rollback" if preview else "commit")
