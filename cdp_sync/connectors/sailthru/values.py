"""Lists, jobs and users as Sailthru's answers tell them. What is unset comes as null, as [] or not at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from cdp_sync.errors import RemoteFailure

Told = Mapping[str, Any]  # JSON


@dataclass(frozen=True)
class MailingList:
    """A list of an account."""

    name: str
    id: str | None
    kind: Literal["natural", "smart"]
    """Natural: people are put on it. Smart: those who fit a query are on it."""
    count: int | None
    """How many are on it, if told."""
    created_at: datetime | None
    primary: bool


@dataclass(frozen=True)
class Job:
    """A job that runs at Sailthru."""

    id: str
    status: str
    """`pending`, `completed` or `error`; others are not documented."""
    name: str = ""
    export_url: str | None = field(default=None, repr=False)
    """Where an export's result is, for about two hours. Whoever has it may fetch it."""
    expired: bool = False
    """Whether the result is there no more."""
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def completed(self) -> bool:
        """Whether it came to its end."""
        return self.status == "completed"

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        return self.status == "error"


def mailing_list(told: Told) -> MailingList:
    """Return a list: as one of many, where its name is under `name`, or alone, where it is under `list`.

    Raises:
        RemoteFailure: It has no name.
    """
    count = told.get("count", told.get("email_count"))
    return MailingList(
        name=_text(told, "list" if "list" in told else "name", "a list"),
        id=told.get("list_id") or None,
        kind="smart" if told.get("type") == "smart" else "natural",  # which others call normal
        count=int(count) if isinstance(count, (int, str)) and str(count).isdecimal() else None,
        created_at=instant(told.get("create_time")),
        primary=bool(told.get("primary")),
    )


def mailing_lists(told: Told) -> tuple[MailingList, ...]:
    """Return all lists of an answer."""
    found = told.get("lists")
    rows: Iterable[Told] = found.values() if isinstance(found, Mapping) else found or ()
    return tuple(mailing_list(row) for row in rows)


def job(told: Told) -> Job:
    """Return a job.

    Raises:
        RemoteFailure: It has no id.
    """
    return Job(
        id=_text(told, "job_id", "a job"),
        status=str(told.get("status") or "pending"),
        name=str(told.get("name") or ""),
        export_url=told.get("export_url") or None,
        expired=bool(told.get("expired")),
        started_at=instant(told.get("start_time")),
        ended_at=instant(told.get("end_time")),
    )


def user(told: Told) -> dict[str, Any]:
    """Return a user's fields; of those told `keys`, `vars` and `lists` are objects and `smart_lists` is a list."""
    fields = {name.replace("smart-lists", "smart_lists"): value for name, value in told.items()}
    fields |= {name: fields[name] or {} for name in ("keys", "vars", "lists") if name in fields}
    if "smart_lists" in fields:
        fields["smart_lists"] = list(fields["smart_lists"] or ())
    return fields


def instant(told: object) -> datetime | None:
    """Return a time as of RFC 2822, or nothing where it is unset or is something else."""
    try:
        return parsedate_to_datetime(told) if isinstance(told, str) else None
    except ValueError:
        return None


def _text(told: Told, key: str, what: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not value:
        raise RemoteFailure(f"Sailthru told of {what} without {key}.")
    return value
