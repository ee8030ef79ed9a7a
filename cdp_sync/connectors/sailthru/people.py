"""The users of an account, many at once: lists as files, keys of many users, changes to many users."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.protocol import Call, get_user, post_user
from cdp_sync.connectors.sailthru.values import instant
from cdp_sync.connectors.split_file import split_lines
from cdp_sync.errors import CdpSyncError
from cdp_sync.model.audience import Delivered, Outcome, User

LONGEST_JOB = 3 * 3600.0
"""Seconds that a job gets: third parties give up between ten minutes and six hours."""

WORKERS = 16
"""Calls under way at the same time."""

LARGEST_UPDATE = 50_000_000
"""Bytes of a file of users. Sailthru's limit is not documented; its own importer accepts twenty times as many."""

_KEYS = {"keys": 1}
_KEYS_AND_LISTS = {"keys": 1, "lists": 1}

T = TypeVar("T")


class SailthruPeople(SailthruClient):
    """The users of an account, many at once."""

    def fetch_export(self, job_id: str, target: Path, *, progress: Callable[[int], None] | None = None) -> str:
        """Wait for an export's end, bring its result here, and return the SHA-256 of its bytes.

        Raises:
            JobFailed: It ended without a result, or the result is there no more.
            JobUnfinished: It did not end in time.
            DiskFull: There is no room for it.
        """
        job = self.wait_for(job_id, LONGEST_JOB)
        return self.download(job.export_url or "", target, progress).sha256

    def keys_of(self, sids: Iterable[str]) -> Generator[tuple[str, Mapping[str, str]], None, None]:
        """Yield the keys of users by their ids, in any order; none of users who no longer exist or cannot be read."""
        for sid, answer in self._each_of(sids, lambda sid: get_user(sid, "sid", _KEYS)):
            keys = answer.get("keys") if isinstance(answer, dict) else None
            yield sid, {name: key for name, key in (keys or {}).items() if isinstance(key, str)}

    def find_each(self, users: Iterable[User]) -> Generator[tuple[User, Outcome], None, None]:
        """Look users up by `id` and `key`; yield each with its outcome, None where it does not exist, in any order."""
        for user, answer in self._each_of(users, lambda user: get_user(user[1]["id"], user[1]["key"], _KEYS)):
            yield user, _outcome(user, answer)

    def update_each(self, users: Iterable[User]) -> Generator[tuple[User, Outcome], None, None]:
        """Create or change users; yield each with its outcome, in any order."""
        for user, answer in self._each_of(users, lambda user: post_user({**user[1], "fields": _KEYS_AND_LISTS})):
            yield user, _outcome(user, answer)

    def update_in_bulk(self, lines: Path) -> None:
        """Create or change the users of a file, one JSON object a line, and wait until that is done.

        A large file is split, and its parts are sent one after the other, each a file beside `lines` while it is sent.

        Raises:
            JobFailed: It ended without a result.
            JobUnfinished: It did not end in time.
        """
        with closing(split_lines(lines, LARGEST_UPDATE)) as files:
            for file in files:
                self.wait_for(self.start_update(file), LONGEST_JOB)

    def fetch_list(self, name: str, target: Path, variables: Sequence[str]) -> None:
        """Bring a list here with these custom fields, as delimited text; errors as of `fetch_export`."""
        self.fetch_export(self.start_export(name, variables or None), target)

    def _each_of(
        self, people: Iterable[T], call: Callable[[T], Call]
    ) -> Iterator[tuple[T, dict[str, Any] | CdpSyncError | None]]:
        """Make a call for each; yield the answer beside what it was about."""
        under_way: dict[int, T] = {}

        def calls() -> Iterator[Call]:
            for place, each in enumerate(people):
                under_way[place] = each
                yield call(each)

        with closing(self.each(calls(), workers=WORKERS)) as answers:
            for place, answer in answers:
                yield under_way.pop(place), answer


def _outcome(user: User, answer: dict[str, Any] | CdpSyncError | None) -> Outcome:
    if not isinstance(answer, dict):
        return answer
    _, body = user
    sid = (answer.get("keys") or {}).get("sid") or (body["id"] if body["key"] == "sid" else None)
    moments = ((name, instant(text)) for name, text in (answer.get("lists") or {}).items())
    return Delivered(sid, {name: moment for name, moment in moments if moment})
