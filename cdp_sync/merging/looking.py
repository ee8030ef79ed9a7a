"""What was decided about profiles, and of which parts a live one is made."""

from typing import Any

from cdp_sync.merging.evidence import SQL
from cdp_sync.warehouse import Session, statement


def decisions(
    session: Session, *, profile: str | None = None, rule: str | None = None, limit: int = 50
) -> tuple[int, list[dict[str, Any]]]:
    """Return how many decisions there are, and the latest of them.

    With `profile`, the id or an identifier's value, those about all that the live profile is made of; with `rule`,
    those by that rule, in words.
    """
    bound = {"profile": profile and profile.strip(), "rule": rule}
    found = f"from ({statement(f'{SQL}/decisions')})"
    total = session.value(f"select count(*) {found}", bound)
    latest = f"{found} order by decided_at desc, left_id, right_id, property, value limit $limit"
    return int(total), session.records(latest, {**bound, "limit": limit})


def parts_of(session: Session, profile_id: object) -> list[dict[str, Any]]:
    """Return the profiles that a live one is made of, the oldest first: id, creation, and whether it is the survivor.

    Of a profile that nothing was merged into, there is one.
    """
    query = f"""select profile_id, created_at, merged_into is null as survives
from warehouse.profile_by_itself
where profile_id in ({statement(f"{SQL}/parts")})
order by created_at, profile_id"""
    return session.records(query, {"live": profile_id})
