"""A user and a list, as an account keeps them."""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

KEYS = ("email", "extid", "sms")
"""What a user can be known by and be given."""


@dataclass(slots=True)
class User:
    """A user. Its mappings are replaced and never changed, so that a copy stays as it was.

    Attributes:
        sid: Sailthru's id, whose first eight digits are the time of creation.
        email: In lower case.
        vars: Custom fields, with their JSON types.
        lists: Natural lists, with the seconds of the signup.
        optout_time: When it opted out.
        activity: Seconds of the last open_time, click_time, view_time, login_time and signup_time.
        lifetime: Counters by their names in the API, such as `lifetime_open`.
    """

    sid: str
    email: str | None = None
    extid: str | None = None
    sms: str | None = None
    vars: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)
    engagement: str = "new"
    optout_email: str = "none"
    optout_time: int | None = None
    activity: dict[str, int] = field(default_factory=dict)
    lifetime: dict[str, int] = field(default_factory=dict)

    @property
    def created(self) -> int:
        """The seconds of its creation."""
        return int(self.sid[:8], 16)

    @property
    def email_hash(self) -> str:
        """MD5 of the address."""
        return md5(self.email) if self.email else ""

    @property
    def cookie(self) -> str:
        """Its first part changes with the address, its last one is the sid."""
        return md5(self.email or "") + self.sid

    @property
    def keys(self) -> dict[str, str]:
        """What it is known by."""
        given = {key: getattr(self, key) for key in KEYS if getattr(self, key) is not None}
        return {"sid": self.sid, "cookie": self.cookie, **given}


@dataclass(slots=True)
class MailingList:
    """A list.

    Attributes:
        type: `normal`, which is a natural list, or `smart`.
        query: Who is on a smart list.
        members: Who is on a natural list, by sid.
    """

    list_id: str
    name: str
    created: int
    type: str = "normal"
    primary: bool = False
    public_name: str | None = None
    vars: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    members: dict[str, User] = field(default_factory=dict, repr=False)


def md5(text: str) -> str:
    """Return the hexadecimal digest."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=65536)
def scrubbed(name: str) -> str:
    """Return the name of a custom field without what is not allowed in it: `% - . $` go, spaces become `_`."""
    return name.translate(_SCRUB)


_SCRUB = str.maketrans(" ", "_", "%-.$")
