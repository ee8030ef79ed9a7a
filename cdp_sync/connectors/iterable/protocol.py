"""Calls of Iterable's API, its documented rate limits, and what an answer says of the rate. This module does no I/O.

Every call carries the header `Api-Key`. An address and a userId go as a query parameter, never in the path, where an
address with a slash has no place. A write that is accepted (status 200) takes effect later.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, urlencode

from cdp_sync.connectors.http.rate_limit import Bucket, RateInfo

Method = Literal["GET", "POST", "DELETE"]
Kind = tuple[str, str]
"""Endpoint and method: what Iterable counts by itself."""

API_KEY = "Api-Key"
NDJSON = "application/x-json-stream"
LARGEST_BODY = 4 << 20
"""Bytes of a bulk update's body (API documentation, users/bulkUpdate)."""
MOST_USERS = 1000
"""Users of a call for many; only the size has a documented limit, and other clients send as many."""

MOST_ITEMS = 1000
"""Items of a page of a catalog (API documentation, catalogs/items)."""

_PER_SECOND: dict[Hashable, int] = {
    ("lists", "GET"): 100,
    ("channels", "GET"): 100,
    ("messageTypes", "GET"): 100,
    ("campaigns", "GET"): 100,
    ("users/getByEmail", "GET"): 100,
    ("users/byUserId", "GET"): 100,
    ("users/getByEmail", "DELETE"): 100,
    ("users/byUserId", "DELETE"): 100,
    ("events", "GET"): 100,
    ("users/update", "POST"): 500,
    ("users/registerDeviceToken", "POST"): 500,
    ("users/bulkUpdate", "POST"): 5,
    ("users/getFields", "GET"): 3,
    ("users/getSentMessages", "GET"): 3,
    ("users/forgotten", "GET"): 3,
    ("users/forget", "POST"): 3,
    ("users/unforget", "POST"): 3,
    ("users/merge", "POST"): 50,
    ("catalogs/items", "GET"): 100,
    ("events/track", "POST"): 2000,
    ("events/trackBulk", "POST"): 10,
    ("export/start", "POST"): 1,
    ("export/files", "GET"): 1,
    ("export", "DELETE"): 1,
}
_PER_MINUTE: dict[Hashable, int] = {
    ("lists/getUsers", "GET"): 5,
    ("lists/previewUsers", "GET"): 5,
    ("lists/size", "GET"): 5,
    ("export/data.json", "GET"): 4,
    ("export/data.csv", "GET"): 4,
}

BUCKETS: Mapping[Hashable, Bucket] = MappingProxyType(
    {kind: Bucket(calls, 1.0) for kind, calls in _PER_SECOND.items()}
    | {kind: Bucket(calls, 60.0) for kind, calls in _PER_MINUTE.items()}
)
"""The documented limits, each per project; those of exports hold for all projects of an organization together.

Other endpoints, such as lists/subscribe, have no documented limit: a refusal (429) alone holds them back.
"""


@dataclass(frozen=True)
class Call:
    """One call. Its content does not show in its `repr`: it is personal data."""

    method: Method
    endpoint: str
    """What Iterable counts the call as: the path after `/api/`, without ids in it."""
    path: str = ""
    """The path after `/api/`, where it differs from `endpoint`."""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: object = field(default=None, repr=False)

    @property
    def kind(self) -> Kind:
        """What Iterable counts by itself."""
        return self.endpoint, self.method

    def url(self, base_url: str) -> str:
        """Return where the call goes, without its query."""
        return f"{base_url}/api/{self.path or self.endpoint}"


def get_lists() -> Call:
    """Ask for all lists."""
    return Call("GET", "lists")


def get_list_users(list_id: int, *, prefer_user_id: bool = False) -> Call:
    """Ask for who is on a list: text, one identifier a line.

    A line is the address, or the userId of a user without one; with `prefer_user_id` the userId where there is one.
    """
    query = {"listId": str(list_id)} | ({"preferUserId": "true"} if prefer_user_id else {})
    return Call("GET", "lists/getUsers", query=query)


def preview_list_users(list_id: int, size: int, *, prefer_user_id: bool = False) -> Call:
    """Ask for some who are on a list, in the form of `get_list_users`."""
    whole = get_list_users(list_id, prefer_user_id=prefer_user_id)
    return Call("GET", "lists/previewUsers", query={**whole.query, "size": str(size)})


def get_list_size(list_id: int) -> Call:
    """Ask how many users are on a list: text, a number."""
    return Call("GET", "lists/size", f"lists/{list_id}/size")


def create_list(name: str) -> Call:
    """Make a static list."""
    return Call("POST", "lists", body={"name": name})


def get_fields() -> Call:
    """Ask for the fields of users and their types."""
    return Call("GET", "users/getFields")


def get_user(key: str, value: str) -> Call:
    """Ask for a user by `email` or `userId`."""
    endpoint = "users/getByEmail" if key == "email" else "users/byUserId"
    return Call("GET", endpoint, query={key: value})


@dataclass(frozen=True)
class UserQuery:
    """Which users an export holds: all of them, or those whose profiles changed in a period. Events in the same way."""

    since: datetime | None = None
    """The first moment of the period."""
    until: datetime | None = None
    """The first moment after it."""
    fields: tuple[str, ...] = ()
    """The fields that a user has; all of them by default."""
    data_type: str = "user"
    """What is exported: users, or a type of events."""

    def parameters(self) -> dict[str, str]:
        """Return the parameters that both kinds of export have in common."""
        period = {"startDateTime": self.since, "endDateTime": self.until}
        return {"dataTypeName": self.data_type} | {name: time(moment) for name, moment in period.items() if moment}


def stream_users(query: UserQuery) -> Call:
    """Ask for users as one answer, a JSON object a line. `onlyFields` is left out: it would have to repeat."""
    whole = {} if query.since or query.until else {"range": "All"}
    return Call("GET", "export/data.json", query={**query.parameters(), **whole})


def start_export(query: UserQuery) -> Call:
    """Start a job that exports users to files, a JSON object a line."""
    only = {"onlyFields": ",".join(query.fields)} if query.fields else {}
    return Call("POST", "export/start", body={**query.parameters(), "outputFormat": NDJSON, **only})


def get_export_files(job_id: int, after: str = "") -> Call:
    """Ask how an export is and for its files, in the order of their names, those after a name alone."""
    return Call("GET", "export/files", f"export/{job_id}/files", {"startAfter": after} if after else {})


def cancel_export(job_id: int) -> Call:
    """Cancel an export."""
    return Call("DELETE", "export", f"export/{job_id}")


def bulk_update(users: Sequence[bytes], *, create_fields: bool) -> Call:
    """Create or change users, each as JSON: at most `MOST_USERS` and `LARGEST_BODY`."""
    return Call("POST", "users/bulkUpdate", body=_of_many("users", users, createNewFields=create_fields))


def subscribe(list_id: int, users: Sequence[bytes], *, existing_only: bool) -> Call:
    """Put users, each as JSON, on a static list."""
    body = _of_many("subscribers", users, listId=list_id, updateExistingUsersOnly=existing_only)
    return Call("POST", "lists/subscribe", body=body)


def unsubscribe(list_id: int, users: Sequence[bytes]) -> Call:
    """Take users, each as JSON, off a static list, and from nothing else."""
    body = _of_many("subscribers", users, listId=list_id, channelUnsubscribe=False)
    return Call("POST", "lists/unsubscribe", body=body)


def track_events(events: Sequence[bytes]) -> Call:
    """Store custom events, each as JSON: at most `MOST_USERS` and `LARGEST_BODY`. One with a known id is replaced."""
    return Call("POST", "events/trackBulk", body=b'{"events":[%s]}' % b",".join(events))


def track_purchase(purchase: bytes) -> Call:
    """Store a purchase, given as JSON. One with a known id is replaced."""
    return Call("POST", "commerce/trackPurchase", body=purchase)


def get_catalog_items(name: str, page: int, size: int) -> Call:
    """Ask for a page of a catalog's items, the first of which is 1: at most `MOST_ITEMS`."""
    query = {"page": str(page), "pageSize": str(size)}
    return Call("GET", "catalogs/items", f"catalogs/{quote(name, safe='')}/items", query)


def get_catalog_fields(name: str) -> Call:
    """Ask for the fields of a catalog's items and their types."""
    return Call("GET", "catalogs/fields", f"catalogs/{quote(name, safe='')}/fieldMappings")


def _of_many(name: str, users: Sequence[bytes], **more: object) -> bytes:
    """Return a body with users who are JSON already: nobody is parsed."""
    return b'{"%s":[%s],%s' % (name.encode(), b",".join(users), json.dumps(more)[1:].encode())


def query_text(call: Call) -> str:
    """Return the query of a call as it stands in its address."""
    return urlencode(call.query)


def time(moment: datetime) -> str:
    """Return a moment as exports accept it, truncated to seconds, with its offset: without one the zone is open."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} +00:00"


def rate_info(status: int, headers: Mapping[str, str]) -> RateInfo:
    """Return what an answer says about calls to come: whether it was refused, and `Retry-After` where it is there.

    Answers have no headers of a rate; that is normal here.
    """
    pause = headers.get("Retry-After", "").strip()
    return RateInfo(
        refused=status == HTTPStatus.TOO_MANY_REQUESTS, retry_after=float(pause) if pause.isdecimal() else None
    )
