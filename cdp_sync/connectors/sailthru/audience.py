"""An account's people as goals want them: lists that arrive as files, keys of many, changes to many."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.protocol import Call, get_user, post_user
from cdp_sync.connectors.sailthru.values import instant
from cdp_sync.connectors.split_file import split_lines
from cdp_sync.errors import CdpSyncError

LONGEST_JOB = 3 * 3600.0
"""Seconds that a job gets: third parties give up between ten minutes and six hours."""

WORKERS = 16
"""Calls under way at the same time."""

LARGEST_UPDATE = 50_000_000
"""Bytes of a file of users. How many Sailthru takes is not documented; its own importer takes twenty times as many."""

_KEYS = {"keys": 1}
_KEYS_AND_LISTS = {"keys": 1, "lists": 1}

Placed = tuple[int, dict[str, Any]]
"""A user, with `id` and `key`, and what place they have."""

Who = TypeVar("Who")


@dataclass(frozen=True)
class Taken:
    """A user who is there."""

    sid: str | None
    """None where Sailthru does not say."""
    joined: Mapping[str, datetime] = field(default_factory=dict)
    """When they joined the lists that they are on, if told."""


class SailthruAudience(SailthruClient):
    """An account's people."""

    def fetch_export(self, job_id: str, target: Path, *, progress: Callable[[int], None] | None = None) -> str:
        """Wait for an export's end, bring its result here, and return the SHA-256 of its bytes.

        Raises:
            JobFailed: It ended without a result, or the result is there no more.
            JobUnfinished: It did not end in time.
            DiskFull: There is no room for it.
            Transient: Too many attempts failed.
        """
        job = self.wait_for(job_id, LONGEST_JOB)
        return self.download(job.export_url or "", target, progress).sha256

    def keys_of(self, sids: Iterable[str]) -> Generator[tuple[str, Mapping[str, str]], None, None]:
        """Yield the keys of the users of these ids, in any order; none of those who are gone or cannot be had.

        Raises:
            ServerRefused: The credentials, a permission: no call would do.
            Transient: Sailthru cannot be reached, or fails again and again.
        """
        for sid, answer in self._each_of(sids, lambda sid: get_user(sid, "sid", _KEYS)):
            keys = answer.get("keys") if isinstance(answer, dict) else None
            yield sid, {name: key for name, key in (keys or {}).items() if isinstance(key, str)}

    def find_each(self, users: Iterable[Placed]) -> Generator[tuple[Placed, Taken | CdpSyncError | None], None, None]:
        """Yield who is there by `id` and `key`, and nothing for those who are not, in any order.

        Raises:
            ServerRefused: The credentials, a permission: no call would do.
            Transient: Sailthru cannot be reached, or fails again and again.
        """
        for user, answer in self._each_of(users, lambda user: get_user(user[1]["id"], user[1]["key"], _KEYS)):
            yield user, _taken(user, answer)

    def update_each(self, users: Iterable[Placed]) -> Generator[tuple[Placed, Taken | CdpSyncError | None], None, None]:
        """Create or change users; yield them as they are, or why they were not taken, in any order.

        Raises:
            ServerRefused: The credentials, a permission: no call would do.
            Transient: Sailthru cannot be reached, or fails again and again.
        """
        for user, answer in self._each_of(users, lambda user: post_user({**user[1], "fields": _KEYS_AND_LISTS})):
            yield user, _taken(user, answer)

    def update_in_bulk(self, lines: Path) -> None:
        """Create or change the users of a file, one JSON object a line, and wait until that is done.

        A large file is sent in pieces, one after the other. `lines` has a neighbour while that lasts.

        Raises:
            JobFailed: It ended without a result.
            JobUnfinished: It did not end in time.
            Transient: Too many attempts failed.
        """
        with closing(split_lines(lines, LARGEST_UPDATE)) as files:
            for file in files:
                self.wait_for(self.start_update(file), LONGEST_JOB)

    def fetch_list(self, name: str, target: Path, variables: Sequence[str]) -> None:
        """Bring a list here with these custom fields, as delimited text.

        Raises:
            As `fetch_export`.
        """
        self.fetch_export(self.start_export(name, variables or None), target)

    def _each_of(
        self, people: Iterable[Who], call: Callable[[Who], Call]
    ) -> Iterator[tuple[Who, dict[str, Any] | CdpSyncError | None]]:
        """Make a call for each; yield what comes of it beside whom it was about."""
        under_way: dict[int, Who] = {}

        def calls() -> Iterator[Call]:
            for place, who in enumerate(people):
                under_way[place] = who
                yield call(who)

        with closing(self.each(calls(), workers=WORKERS)) as answers:
            for place, answer in answers:
                yield under_way.pop(place), answer


def _taken(user: Placed, answer: dict[str, Any] | CdpSyncError | None) -> Taken | CdpSyncError | None:
    if not isinstance(answer, dict):
        return answer
    _, body = user
    sid = (answer.get("keys") or {}).get("sid") or (body["id"] if body["key"] == "sid" else None)
    joined = {name: at for name, told in (answer.get("lists") or {}).items() if (at := instant(told))}
    return Taken(sid, joined)
