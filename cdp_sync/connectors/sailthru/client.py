"""The client that others use: it calls at the allowed rate, tries again when that may help, speaks in our errors."""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self, TypeVar

from cdp_sync import errors
from cdp_sync.connectors.disk import while_reading
from cdp_sync.connectors.http import concurrent_calls
from cdp_sync.connectors.http.download import Downloaded, download
from cdp_sync.connectors.http.rate_limit import RateLimiter
from cdp_sync.connectors.http.sender import Request, Sender, Timeouts
from cdp_sync.connectors.sailthru import answers, protocol
from cdp_sync.connectors.sailthru.answers import Job, MailingList
from cdp_sync.connectors.sailthru.goals import SailthruAccount, SailthruConnection
from cdp_sync.connectors.sailthru.protocol import Call, Credentials, get_user, post_user
from cdp_sync.connectors.sailthru.waiting import ended
from cdp_sync.connectors.secret import secret_of
from cdp_sync.connectors.split_file import split_lines
from cdp_sync.model.audience import Delivered, Outcome, User
from cdp_sync.model.profile import Profiles
from cdp_sync.retrying import Pauses, RetryPolicy

LONGEST_JOB = 3 * 3600.0
"""Seconds that a job gets: third parties give up between ten minutes and six hours."""

LARGEST_UPDATE = 50_000_000
"""Bytes of a file of users. Sailthru's limit is not documented; its own importer accepts twenty times as many."""

_UNUSED_ID = "0" * 24
"""An id that nothing has: it would be of the year 1970."""
_KEYS = {"keys": 1}
_KEYS_AND_LISTS = {"keys": 1, "lists": 1}

T = TypeVar("T")
_Answer = dict[str, Any] | errors.CdpSyncError | None
"""What was asked for, the error of that call, or None for a user who does not exist."""
_logger = logging.getLogger(__name__)


class SailthruClient:
    """Calls one account's API, for any number of threads.

    It connects on first use. A context manager: leaving it hangs up. Every call waits until Sailthru's rate allows it,
    and transient failures are retried, so a call may take minutes.

    Args:
        account: How to reach the account.
        environ: Where the variables are looked up that the declaration names.
        attempts: How often a call is made when it fails in a way that may pass.
        first_pause: Seconds before the second attempt; doubled each time, up to 30, less some chance.
        timeouts: When a call counts as failed.
        limiter: Holds calls back; shared by clients that use the same key.
        wait: Waits so many seconds, between two looks at a job.
        log: Receives one line for everything a person may want to know; the logging module by default.

    Raises:
        SecretMissing: A variable is not there.
        ServerRefused: By every call. The credentials, a permission: no call would do.
        Transient: By every call. Sailthru cannot be reached, or fails again and again.
    """

    def __init__(
        self,
        account: SailthruAccount,
        *,
        environ: Mapping[str, str] = os.environ,
        attempts: int = 5,
        first_pause: float = 1.0,
        timeouts: Timeouts | None = None,
        limiter: RateLimiter | None = None,
        wait: Callable[[float], None] = time.sleep,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._account = account
        self._credentials = Credentials(
            secret_of(environ, account.api_key_env, "API key"), secret_of(environ, account.api_secret_env, "API secret")
        )
        self._wait = wait
        self._sender = Sender(
            account.base_url,
            read_rate=protocol.rate_info,
            retry=RetryPolicy(attempts, Pauses(first_pause), deadline=900.0, log=log or _logger.info),
            limiter=limiter or RateLimiter(),
            timeouts=timeouts or Timeouts(),
        )

    @property
    def time_zone(self) -> str:
        """The account's time zone: that of times in exported lists."""
        return self._account.time_zone

    def __repr__(self) -> str:
        """Name the address, never a secret."""
        return f"SailthruClient({self._account.base_url})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self._sender.close()

    def check(self) -> dict[str, str]:
        """Return what is wrong, by subject: credentials, each endpoint that is needed, time_zone; "" if it is fine.

        Nothing but the credentials once they are refused. The time zone is compared where the key may read it.
        """
        found = {"credentials": ""}
        for call in (protocol.get_lists(), get_user(_UNUSED_ID, "sid", _KEYS), protocol.get_job(_UNUSED_ID)):
            found[call.endpoint] = ""
            try:
                self._ask(call)
            except errors.AuthenticationFailed as refused:
                return {"credentials": str(refused)}
            except (errors.JobLost, errors.RequestRefused):
                pass  # understood, so permitted
            except errors.Terminal as problem:
                found[call.endpoint] = str(problem)
        try:
            zone = (self._ask(protocol.get_settings()) or {}).get("timezone")
        except errors.Terminal:
            zone = None
        if isinstance(zone, str):
            differs = f"The account's time zone is {zone} and time_zone is {self.time_zone}: "
            found["time_zone"] = "" if zone == self.time_zone else f"{differs}times in lists would be read wrongly."
        return found

    def lists(self) -> tuple[MailingList, ...]:
        """Return all lists of the account."""
        return answers.mailing_lists(self._known(protocol.get_lists()))

    def check_writable(self, names: Collection[str]) -> None:
        """Check that users can be put on these lists; a missing one is created by the first of them.

        Raises:
            ListUnknown: One of them is smart.
        """
        smart = {found.name for found in self.lists() if found.kind == "smart"} if names else set()
        if found := [name for name in names if name in smart]:
            listed = ", ".join(map(repr, found))
            raise errors.ListUnknown(
                f"Nobody can be put on a smart list, which a query fills: {listed}.", remedy="Name natural lists."
            )

    def user(self, id: str, key: str, fields: Mapping[str, object] | None = None) -> dict[str, Any] | None:  # noqa: A002
        """Return a user as of `protocol.get_user`; None where there is none. A change may show a second later."""
        return self._ask(get_user(id, key, fields))

    def update_user(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Create or change a user, and return the fields asked for in `fields`.

        Raises:
            RequestRefused: Sailthru does not take it.
        """
        return self._known(post_user(body))

    def keys_of(self, sids: Iterable[str]) -> Generator[tuple[str, Mapping[str, str]], None, None]:
        """Yield the keys of users by their ids, in any order; none of users who no longer exist or cannot be read."""
        for sid, answer in self._each_of(sids, lambda sid: get_user(sid, "sid", _KEYS)):
            keys = answer.get("keys", {}) if isinstance(answer, dict) else {}
            yield sid, {name: key for name, key in keys.items() if isinstance(key, str)}

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

    def start_update(self, path: Path) -> str:
        """Send a file of users to be updated, one JSON object a line, each like a body of `update_user`.

        Return the job's id. Users who don't exist are created. Idempotent.

        Raises:
            Terminal: The file cannot be read.
        """
        with while_reading(path), path.open("rb"):
            pass  # an unreadable file is not a problem of the connection
        return answers.job(self._known(protocol.update_users(path))).id

    def start_export(self, list_name: str, variables: Sequence[str] | None = None) -> str:
        """Start an export of a list, natural or smart, with these custom fields, all by default; return the job's id.

        Raises:
            ListUnknown: There is none of that name.
        """
        return answers.job(self._known(protocol.export_list(list_name, variables))).id

    def fetch_export(self, job_id: str, target: Path, *, progress: Callable[[int], None] | None = None) -> str:
        """Wait for an export's end, bring its result here, and return the SHA-256 of its bytes.

        Raises:
            JobFailed: It ended without a result, or the result is there no more.
            JobUnfinished: It did not end in time.
            DiskFull: There is no room for it.
        """
        job = self.wait_for(job_id, LONGEST_JOB)
        return self.download(job.export_url or "", target, progress).sha256

    def job(self, job_id: str) -> Job:
        """Return how a job is.

        Raises:
            JobLost: Sailthru does not know it.
        """
        return answers.job(self._known(protocol.get_job(job_id)))

    def wait_for(self, job_id: str, deadline: float) -> Job:
        """Return a job once it is completed, within so many seconds; errors as of `waiting.ended`."""
        return ended(lambda: self.job(job_id), deadline, self._wait)

    def download(self, url: str, target: Path, progress: Callable[[int], None] | None = None) -> Downloaded:
        """Fetch an export's result, as `http.download` does. Nothing is signed.

        Raises:
            JobLost: The result is there no more.
        """
        try:
            return download(self._sender, url, target, progress=progress or (lambda _size: None))
        except (errors.RemotePathMissing, errors.RemotePermissionDenied) as problem:
            raise errors.JobLost(
                f"The export's result cannot be fetched: {problem.found}",
                needed="It is there for about two hours.",
                remedy="The next run starts another export.",
            ) from None

    def each(self, calls: Iterable[Call], *, workers: int = 16) -> Generator[tuple[int, _Answer], None, None]:
        """Make many calls concurrently; yield each one's place, counted from 0, and answer, in order of completion.

        Calls are taken a few at a time, in the caller's thread; at most `workers` are under way.

        Raises:
            Transient: Sailthru cannot be reached, or failed for ten calls in a row, each retried.
        """
        return concurrent_calls.each(self._ask, calls, workers=workers, wake=self._sender.wake, cut=self._sender.cut)

    def _each_of(self, people: Iterable[T], call: Callable[[T], Call]) -> Iterator[tuple[T, _Answer]]:
        """Make a call for each; yield the answer beside what it was about."""
        under_way: dict[int, T] = {}

        def calls() -> Iterator[Call]:
            for place, each in enumerate(people):
                under_way[place] = each
                yield call(each)

        with closing(self.each(calls())) as found:
            for place, answer in found:
                yield under_way.pop(place), answer

    def _known(self, call: Call) -> dict[str, Any]:
        answer = self._ask(call)
        if answer is None:  # by none of the calls made here
            raise errors.RequestRefused(f"Sailthru has no user that {call.method} {call.endpoint} is about.")
        return answer

    def _ask(self, call: Call, cancelled: threading.Event | None = None) -> dict[str, Any] | None:
        parameters = protocol.form(self._credentials, call)
        address = protocol.address(self._account.base_url, call, parameters)
        form = parameters if call.method == "POST" else None
        request = Request(call.kind, call.method, address, form=form, file=call.file)
        answer = self._sender.send(request, lambda found: answers.decipher(call, found.status, found.body), cancelled)
        return answers.user(answer) if answer and call.endpoint == "user" else answer


def check(connection: SailthruConnection, _profiles: Profiles) -> Iterator[tuple[str, bool]]:
    """Try what is needed of an account; yield in sentences what was found, and whether that is as it should be.

    Nothing is changed.

    Raises:
        Transient: Sailthru cannot be reached, or fails.
    """
    with SailthruClient(connection.account) as client:
        findings = client.check()
        for subject, problem in findings.items():
            yield f"{subject}: {problem or 'in order.'}", not problem
        for goal in () if any(findings.values()) else connection.export_profiles:
            try:
                client.check_writable(goal.lists)
            except errors.ListUnknown as refused:
                yield f"{goal.name}: {refused}", False


def _outcome(user: User, answer: _Answer) -> Outcome:
    if not isinstance(answer, dict):
        return answer
    _, body = user
    sid = answer.get("keys", {}).get("sid") or (body["id"] if body["key"] == "sid" else None)
    moments = ((name, protocol.instant(text)) for name, text in answer.get("lists", {}).items())
    return Delivered(sid, {name: moment for name, moment in moments if moment})
