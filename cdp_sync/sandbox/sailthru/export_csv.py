"""An export of a list as CSV, with the columns of Sailthru's own files.

PHP quotes a cell for a separator, a quote, a backslash, a line end, a tab or a space in it.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cdp_sync.sandbox.api.times import local
from cdp_sync.sandbox.sailthru.account import User

COLUMNS = (
    "Profile Id", "Email Hash", "Domain", "Engagement", "Lists", "Profile Created Date", "Signup", "Opens", "Clicks",
    "Pageviews", "Last Open", "Last Click", "Last Pageview", "Optout Time", "List Signup", "Geolocation City",
    "Geolocation State", "Geolocation Country", "Geolocation Zip", "Lifetime Message", "First Purchase Time",
    "Purchase Count", "Purchase Price", "Purchase Incomplete", "Last Purchase Time", "Largest Purchase Item Price",
    "Top Device", "Email Status",
)  # fmt: skip
"""The standard columns; custom fields come after them."""

_ROWS = 500
"""In one step: some milliseconds."""
_UNSAFE = re.compile(r'[,"\\\n\r\t ]')


def pieces(
    users: Sequence[User], *, list_name: str, zone: ZoneInfo, names: Sequence[str], clear_emails: bool
) -> Iterator[bytes]:
    """Yield the header, and the rows some hundred at a time.

    `list_name` decides the time of the signup, `names` the custom fields; `clear_emails` adds the column `Email`.
    """
    standard = [*COLUMNS[:2], *(["Email"] if clear_emails else []), *COLUMNS[2:]]
    yield (",".join(map(_cell, (*standard, *names))) + "\n").encode()
    for start in range(0, len(users), _ROWS):
        rows = [_row(user, list_name, zone, names, clear=clear_emails) for user in users[start : start + _ROWS]]
        yield "".join(rows).encode()


def _row(user: User, list_name: str, zone: ZoneInfo, names: Sequence[str], *, clear: bool) -> str:
    email, done, last = user.email or "", user.lifetime.get, user.activity.get
    created, listed = _time(user.created, zone), _time(user.lists.get(list_name), zone)
    signup = _time(last("signup_time") or min(user.lists.values(), default=None), zone)
    times = [_time(when, zone) for when in (last("open_time"), last("click_time"), last("view_time"), user.optout_time)]
    opens, clicks, views = done("lifetime_open", 0), done("lifetime_click", 0), done("lifetime_pv", 0)
    return (
        f"{user.sid},{user.email_hash if email else ''},{_cell(email) + ',' if clear else ''}"
        f"{_cell(email.rpartition('@')[2])},{user.engagement},{_cell(','.join(user.lists))},{created},{signup},"
        f"{opens},{clicks},{views},{','.join(times)},{listed},,,,,{done('lifetime_message', 0)},"
        f"{_time(last('first_purchase_time'), zone)},{done('purchase_count', 0)},{done('purchase_price', 0)},"
        f"{done('purchase_incomplete', 0)},{_time(last('last_purchase_time'), zone)},"
        f"{done('largest_purchase_item_price', '')},,{'Valid' if email else ''}"
        f"{''.join([',' + _WRITERS[type(value)](value) for value in map(user.vars.get, names)])}\n"
    )


@lru_cache(maxsize=1024)
def _time(seconds: int | None, zone: ZoneInfo) -> str:
    return "" if seconds is None else f'"{local(seconds, zone)}"'  # quoted for the space in it


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _UNSAFE.search(text) else text


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
"""How a custom field is written, by its type."""
