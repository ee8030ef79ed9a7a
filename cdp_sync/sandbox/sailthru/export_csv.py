"""An export of a list as CSV, with the columns of Sailthru's own files.

Quoted as PHP does it, which quotes a cell for a separator, a quote, a backslash, a line end, a tab or a space in it.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cdp_sync.sandbox.sailthru.account import User
from cdp_sync.sandbox.sailthru.times import local

COLUMNS = (
    "Profile Id", "Email Hash", "Domain", "Engagement", "Lists", "Profile Created Date", "Signup", "Opens", "Clicks",
    "Pageviews", "Last Open", "Last Click", "Last Pageview", "Optout Time", "List Signup", "Geolocation City",
    "Geolocation State", "Geolocation Country", "Geolocation Zip", "Lifetime Message", "First Purchase Time",
    "Purchase Count", "Purchase Price", "Purchase Incomplete", "Last Purchase Time", "Largest Purchase Item Price",
    "Top Device", "Email Status",
)  # fmt: skip
"""The standard columns; custom fields come behind them."""

_ROWS = 500
"""In one step: some milliseconds."""
_UNSAFE = re.compile(r'[,"\\\n\r\t ]')


def pieces(
    users: Sequence[User], *, list_name: str, zone: ZoneInfo, names: Sequence[str], clear_emails: bool
) -> Iterator[bytes]:
    """Yield the header, and the rows some hundred at a time.

    Args:
        users: Whom.
        list_name: The list they are on, for the time of their signup.
        zone: Of the times.
        names: The custom fields.
        clear_emails: Whether a column `Email` follows the one with the hash.
    """
    standard = [*COLUMNS[:2], *(["Email"] if clear_emails else []), *COLUMNS[2:]]
    yield (",".join(map(_cell, (*standard, *names))) + "\n").encode()
    for start in range(0, len(users), _ROWS):
        part = users[start : start + _ROWS]
        rows = [_row(user, list_name, zone, clear_emails=clear_emails) + _vars(user, names) for user in part]
        yield ("\n".join(rows) + "\n").encode()


def _row(user: User, list_name: str, zone: ZoneInfo, *, clear_emails: bool) -> str:
    email, lists = user.email or "", user.lists
    listed = _time(lists.get(list_name), zone)
    return (
        f"{user.sid},{user.email_hash},{_cell(email) + ',' if clear_emails else ''}{_cell(email.rpartition('@')[2])},"
        f"{user.engagement},{_lists(tuple(lists))},{local(user.created, zone)},{_signup(user, listed, zone)},"
        f"{_activity(user, zone)},{listed},,,,,{user.lifetime.get('lifetime_message', 0)},"
        f",0,0,0,,,,{'Valid' if email else ''}"
    )


def _signup(user: User, listed: str, zone: ZoneInfo) -> str:
    if len(user.lists) == 1 and listed and not user.activity:
        return listed  # nearly everyone
    return _time(user.activity.get("signup_time") or min(user.lists.values(), default=None), zone)


@lru_cache(maxsize=4096)
def _lists(names: tuple[str, ...]) -> str:
    return _cell(",".join(names))


def _activity(user: User, zone: ZoneInfo) -> str:
    """Return the cells from `Opens` to `Optout Time`."""
    if not user.lifetime and not user.activity and user.optout_time is None:
        return "0,0,0,,,,"  # nearly everyone
    done, last = user.lifetime.get, user.activity.get
    counts = [str(done(name, 0)) for name in ("lifetime_open", "lifetime_click", "lifetime_pv")]
    times = [_time(last(name), zone) for name in ("open_time", "click_time", "view_time")]
    return ",".join([*counts, *times, _time(user.optout_time, zone)])


def _time(seconds: int | None, zone: ZoneInfo) -> str:
    return "" if seconds is None else local(seconds, zone)


def _cell(text: str) -> str:
    if text.isalnum() or not _UNSAFE.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _vars(user: User, names: Sequence[str]) -> str:
    return "".join(["," + _WRITERS[type(value)](value) for value in map(user.vars.get, names)])


def _text(value: Any) -> str:  # noqa: ANN401 - as JSON
    return value if type(value) is str else _WRITERS[type(value)](value)


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _cell,
    type(None): lambda _value: "",
    bool: lambda value: "1" if value else "0",
    int: str,
    float: lambda value: str(int(value)) if value.is_integer() else repr(value),
    list: lambda value: _cell(",".join(map(_text, value))),
    dict: lambda value: _cell(json.dumps(value, separators=(",", ":"), ensure_ascii=False)),
}
"""How a custom field is written: nothing for null, 1 and 0 for booleans, a list's values with commas."""
