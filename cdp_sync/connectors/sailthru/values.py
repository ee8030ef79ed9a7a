"""Lists, jobs and users in Sailthru's answers. What is unset comes as null, as [] or not at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from cdp_sync.errors import RemoteFailure

Json = Mapping[str, Any]


@dataclass(frozen=True)
class MailingList:
    """A list of an account."""

    name: str
    id: str | None
    kind: Literal["natural", "smart"]
    """Natural: users are put on it. Smart: the users who fit a query are on it."""
    count: int | None
    """How many users are on it; None where the answer does not say."""
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
    """Where an export's result is, for about two hours. It can be fetched without credentials."""
    expired: bool = False
    """Whether the result is no longer there."""

    @property
    def completed(self) -> bool:
        """Whether it has ended with a result."""
        return self.status == "completed"

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        return self.status == "error"


def mailing_list(answer: Json) -> MailingList:
    """Return a list: as one of many, where its name is under `name`, or alone, where it is under `list`.

    Raises:
        RemoteFailure: It has no name.
    """
    count = answer.get("count", answer.get("email_count"))
    return MailingList(
        name=_text(answer, "list" if "list" in answer else "name", "a list"),
        id=answer.get("list_id") or None,
        kind="smart" if answer.get("type") == "smart" else "natural",  # which others call normal
        count=int(count) if isinstance(count, (int, str)) and str(count).isdecimal() else None,
        created_at=instant(answer.get("create_time")),
        primary=bool(answer.get("primary")),
    )


def mailing_lists(answer: Json) -> tuple[MailingList, ...]:
    """Return all lists of an answer."""
    found = answer.get("lists")
    rows: Iterable[Json] = found.values() if isinstance(found, Mapping) else found or ()
    return tuple(mailing_list(row) for row in rows)


def job(answer: Json) -> Job:
    """Return a job.

    Raises:
        RemoteFailure: It has no id.
    """
    return Job(
        id=_text(answer, "job_id", "a job"),
        status=str(answer.get("status") or "pending"),
        name=str(answer.get("name") or ""),
        export_url=answer.get("export_url") or None,
        expired=bool(answer.get("expired")),
    )


def user(answer: Json) -> dict[str, Any]:
    """Return the fields of a user that are present: `keys`, `vars` and `lists` as objects, `smart_lists` as a list."""
    fields = {name.replace("smart-lists", "smart_lists"): value for name, value in answer.items()}
    fields |= {name: fields[name] or {} for name in ("keys", "vars", "lists") if name in fields}
    if "smart_lists" in fields:
        fields["smart_lists"] = list(fields["smart_lists"] or ())
    return fields


def instant(text: object) -> datetime | None:
    """Return a time as of RFC 2822, or nothing where it is unset or is something else."""
    try:
        return parsedate_to_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _text(answer: Json, key: str, what: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str) or not value:
        raise RemoteFailure(f"Sailthru's answer has {what} without {key}.")
    return value
