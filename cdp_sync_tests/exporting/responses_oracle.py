"""A second reading of the export of responses: plain Python over lists of events, without SQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

Event = Mapping[str, Any]
ROLES = ("sent", "delivered", "opened", "clicked", "bounced", "unsubscribed")


def due_mailings(events: Sequence[Event], now: datetime, after: timedelta) -> set[str]:
    """Return the mailings whose first event is old enough."""
    firsts: dict[str, datetime] = {}
    for event in events:
        if event["mailing"]:
            first = firsts.setdefault(event["mailing"], event["at"])
            firsts[event["mailing"]] = min(first, event["at"])
    return {mailing for mailing, first in firsts.items() if first + after <= now}


def contact_rows(events: Iterable[Event], mailing: str, emails: Mapping[int, str]) -> list[dict[str, str]]:
    """Return the rows of a mailing's contacts as they stand in the file, in the order of their first events."""
    people: dict[int, list[Event]] = {}
    for event in events:
        if event["mailing"] == mailing:
            people.setdefault(event["person"], []).append(event)
    rows = []
    for person in sorted(people, key=lambda each: (min(event["at"] for event in people[each]), each)):
        row = {"mailing": mailing, "email": emails[person]}
        for role in ROLES:
            count = sum(event["role"] == role for event in people[person])
            row[role] = bounced(people[person]) if role == "bounced" else str(count)
        for role in ROLES:
            times = sorted(event["at"] for event in people[person] if event["role"] == role)
            row[f"first_{role}_at"] = moment(times[0]) if times else ""
            row[f"last_{role}_at"] = moment(times[-1]) if times else ""
        rows.append(row)
    return rows


def bounced(events: Iterable[Event]) -> str:
    """Return how a message bounced: hard before soft."""
    kinds = [event["kind"] for event in events if event["role"] == "bounced"]
    if not kinds:
        return ""
    return "hard" if "hard" in kinds else "soft" if "soft" in kinds else "unknown"


def link_rows(events: Iterable[Event], mailing: str, emails: Mapping[int, str]) -> list[dict[str, str]]:
    """Return the rows of all links of a mailing, sorted by their text."""
    clicks: dict[tuple[int, str], list[datetime]] = {}
    for event in events:
        if event["mailing"] == mailing and event["role"] == "clicked" and event["url"]:
            clicks.setdefault((event["person"], event["url"]), []).append(event["at"])
    rows = [
        {
            "mailing": mailing,
            "email": emails[person],
            "link": url,
            "clicks": str(len(times)),
            "first_clicked_at": moment(min(times)),
            "last_clicked_at": moment(max(times)),
        }
        for (person, url), times in clicks.items()
    ]
    return sorted(rows, key=lambda row: (row["email"], row["link"]))


def moment(at: datetime) -> str:
    """Return a time as files have it by default."""
    return at.isoformat()
