"""The client that others use: it calls at the allowed rate, tries again when that may help, speaks in our errors."""

import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from cdp_sync.connectors.disk import while_reading
from cdp_sync.connectors.http import concurrent_calls
from cdp_sync.connectors.http.download import Downloaded, download
from cdp_sync.connectors.http.rate_limit import RateLimiter
from cdp_sync.connectors.http.sender import Answer, Request, Sender, Timeouts
from cdp_sync.connectors.sailthru import answers, protocol, values
from cdp_sync.connectors.sailthru.account import SailthruAccount
from cdp_sync.connectors.sailthru.check import Finding, findings
from cdp_sync.connectors.sailthru.protocol import Call, Credentials
from cdp_sync.connectors.sailthru.values import Job, MailingList
from cdp_sync.connectors.sailthru.waiting import ended
from cdp_sync.connectors.secret import secret_of
from cdp_sync.errors import (
    CdpSyncError,
    JobLost,
    RemotePathMissing,
    RemotePermissionDenied,
    RequestRefused,
)
from cdp_sync.retrying import Pauses, RetryPolicy

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
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._sender.close()

    def check(self) -> tuple[Finding, ...]:
        """Return what is right and what is not: the credentials, each endpoint that is needed, the time zone."""
        return findings(self._ask, self._account.time_zone)

    def lists(self) -> tuple[MailingList, ...]:
        """Return all lists of the account."""
        return values.mailing_lists(self._known(protocol.get_lists()))

    def list(self, name: str) -> MailingList:
        """Return one list.

        Raises:
            ListUnknown: There is none of that name.
        """
        return values.mailing_list(self._known(protocol.get_list(name)))

    def user(self, id: str, key: str, fields: Mapping[str, object] | None = None) -> dict[str, Any] | None:  # noqa: A002
        """Return a user as of `protocol.get_user`; None where there is none. A change may show a second later."""
        return self._ask(protocol.get_user(id, key, fields))

    def update_user(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Create or change a user, and return the fields asked for in `fields`.

        Raises:
            RequestRefused: Sailthru does not take it.
        """
        return self._known(protocol.post_user(body))

    def each(
        self, calls: Iterable[Call], *, workers: int = 16
    ) -> Generator[tuple[int, dict[str, Any] | CdpSyncError | None], None, None]:
        """Make many calls concurrently at the allowed rate; yield each one's outcome in the order of completion.

        Calls are taken a few at a time, in the caller's thread. Yielded is a call's place in that order, counted from
        0, with its answer, with None for a user who does not exist, or with the error of that call.

        Args:
            calls: Such as `get_user(…)` and `post_user(…)`.
            workers: How many at most are under way.

        Raises:
            Transient: Sailthru cannot be reached, or failed for ten calls in a row, each retried.
        """
        return concurrent_calls.each(self._ask, calls, workers=workers, wake=self._sender.wake, cut=self._sender.cut)

    def start_export(self, list_name: str, variables: Sequence[str] | None = None) -> str:
        """Start an export of a list, natural or smart, with these custom fields, all by default; return the job's id.

        Raises:
            ListUnknown: There is none of that name.
        """
        return values.job(self._known(protocol.export_list(list_name, variables))).id

    def start_update(self, path: Path) -> str:
        """Send a file of users to be updated, one JSON object a line, each like a body of `update_user`.

        Return the job's id. Users who don't exist are created. Idempotent.

        Raises:
            Terminal: The file cannot be read.
        """
        with while_reading(path), path.open("rb"):
            pass  # an unreadable file is not a problem of the connection
        return values.job(self._known(protocol.update_users(path))).id

    def job(self, job_id: str) -> Job:
        """Return how a job is.

        Raises:
            JobLost: Sailthru does not know it.
        """
        return values.job(self._known(protocol.get_job(job_id)))

    def wait_for(self, job_id: str, deadline: float, on_poll: Callable[[Job], None] | None = None) -> Job:
        """Return a job once it is completed.

        Args:
            job_id: Which.
            deadline: Seconds from now that it gets.
            on_poll: Called with how it is, at every look.

        Raises:
            JobFailed: It ended without a result.
            JobLost: Sailthru does not know it, or no longer has its result.
            JobUnfinished: It did not end in time.
        """
        return ended(lambda: self.job(job_id), deadline, on_poll, self._wait)

    def download(self, url: str, target: Path, progress: Callable[[int], None] | None = None) -> Downloaded:
        """Fetch an export's result; `target` appears only when all of it is there. Nothing is signed.

        Args:
            url: The job's `export_url`.
            target: Where it shall be; missing folders are made.
            progress: Called with the number of bytes that have arrived so far; smaller again after a lost line.

        Raises:
            JobLost: The result is there no more.
            DiskFull: There is no room for it.
            Transient: Too many attempts failed.
        """
        try:
            return download(self._sender, url, target, progress=progress or (lambda _size: None))
        except (RemotePathMissing, RemotePermissionDenied) as problem:
            raise JobLost(
                f"The export's result cannot be fetched: {problem.found}",
                needed="It is there for about two hours.",
                remedy="The next run starts another export.",
            ) from None

    def _known(self, call: Call) -> dict[str, Any]:
        answer = self._ask(call)
        if answer is None:  # by none of the calls made here
            raise RequestRefused(f"Sailthru has no user that {call.method} {call.endpoint} is about.")
        return answer

    def _ask(self, call: Call, cancelled: threading.Event | None = None) -> dict[str, Any] | None:
        def decipher(answer: Answer) -> dict[str, Any] | None:
            return answers.decipher(call, answer.status, answer.body)

        parameters = protocol.form(self._credentials, call)
        address = protocol.address(self._account.base_url, call, parameters)
        form = parameters if call.method == "POST" else None
        request = Request(call.kind, call.method, address, form=form, file=call.file)
        answer = self._sender.send(request, decipher, cancelled)
        return values.user(answer) if answer and call.endpoint == "user" else answer
