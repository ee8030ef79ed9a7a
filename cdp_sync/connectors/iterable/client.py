"""The client that others use: it calls at the allowed rate, tries again when that may help, speaks in our errors."""

import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from cdp_sync.connectors.http import concurrent_calls
from cdp_sync.connectors.http.download import Downloaded, download
from cdp_sync.connectors.http.machine_limit import MachineLimiter, shared_folder
from cdp_sync.connectors.http.rate_limit import RateLimiter
from cdp_sync.connectors.http.sender import Request, Sender, Timeouts
from cdp_sync.connectors.iterable import answers, protocol
from cdp_sync.connectors.iterable.answers import ExportState, MailingList
from cdp_sync.connectors.iterable.goals import IterableProject
from cdp_sync.connectors.iterable.protocol import Call, UserQuery
from cdp_sync.connectors.secret import secret_of
from cdp_sync.errors import CdpSyncError, SettingUnusable
from cdp_sync.retrying import Pauses, RetryPolicy

_REST = 15.0
"""Seconds that an endpoint rests after a refusal. Limits refill all the time: several rests make a minute."""
_BLOCK, _LONGEST_HEAD = 1 << 13, 1 << 20
"""Bytes that are read at a time, and at most, where only the first lines count."""
_logger = logging.getLogger(__name__)


class IterableClient:
    """Calls one project's API, for any number of threads.

    It connects on first use. A context manager: leaving it hangs up. Every call waits until Iterable's documented
    limits allow it, which all clients of a key on this machine keep together. Transient failures are retried, so a call
    may take minutes.

    Args:
        project: How to reach the project.
        environ: Where the variable is looked up that the declaration names.
        attempts: How often a call is made when it fails in a way that may pass.
        first_pause: Seconds before the second attempt; doubled each time, up to 30, less some chance.
        timeouts: When a call counts as failed.
        limiter: Holds calls back, in place of the one of this machine.
        wait: Waits so many seconds, between two looks at an export.
        log: Receives one line for everything a person may want to know; the logging module by default.

    Raises:
        SecretMissing: The variable is not there.
        SettingUnusable: What it holds cannot be a key.
        ServerRefused: By every call. The key, a permission: no call would do.
        Transient: By every call. Iterable cannot be reached, or fails again and again.
    """

    def __init__(
        self,
        project: IterableProject,
        *,
        environ: Mapping[str, str] = os.environ,
        attempts: int = 5,
        first_pause: float = 1.0,
        timeouts: Timeouts | None = None,
        limiter: RateLimiter | None = None,
        wait: Callable[[float], None] = time.sleep,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.project = project
        self.wait = wait
        key = _usable(secret_of(environ, project.api_key_env, "API key"), project.api_key_env)
        folder = shared_folder(f"{project.address} {key}")
        self._sender = Sender(
            project.address,
            headers={protocol.API_KEY: key},
            read_rate=protocol.rate_info,
            retry=RetryPolicy(attempts, Pauses(first_pause), deadline=900.0, log=log or _logger.info),
            limiter=limiter or MachineLimiter(folder, buckets=protocol.BUCKETS, length=_REST),
            timeouts=timeouts or Timeouts(),
        )

    def __repr__(self) -> str:
        """Name the address, never a key."""
        return f"IterableClient({self.project.address})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._sender.close()

    def lists(self) -> tuple[MailingList, ...]:
        """Return all lists of the project."""
        return answers.mailing_lists(self.ask(protocol.get_lists()))

    def list_size(self, list_id: int) -> int:
        """Return how many users are on a list; five calls a minute.

        Raises:
            ListUnknown: There is none of that id.
        """
        call = protocol.get_list_size(list_id)
        request = _request(call, self.project)
        return self._sender.send(request, lambda found: answers.decipher_number(call, found.status, found.body))

    def preview_list(self, list_id: int, size: int) -> tuple[str, ...]:
        """Return the identifiers of some users on a list, in the form of `fetch_list`; five calls a minute."""
        call = protocol.preview_list_users(list_id, size, prefer_user_id=self.project.project_type != "email")
        request = _request(call, self.project)
        return self._sender.send(request, lambda found: answers.decipher_lines(call, found.status, found.body))

    def first_lines(self, query: UserQuery, most: int) -> list[bytes]:
        """Return the first lines of users as one answer, and hang up; four calls a minute."""
        call, content = protocol.stream_users(query), b""
        with self._sender.stream(_request(call, self.project)) as stream:
            if stream.status != HTTPStatus.OK:
                answers.decipher(call, stream.status, stream.read())
            for chunk in stream.chunks(_BLOCK):
                content += chunk
                if content.count(b"\n") >= most or len(content) > _LONGEST_HEAD:
                    break
        return content.split(b"\n")[:most]

    def fetch_list(self, list_id: int, target: Path, *, by_address: bool = False) -> Downloaded:
        """Bring the identifiers of a list's users here, one a line; five calls a minute.

        In projects that know userIds it is the userId, or the address of a user without one; otherwise, and with
        `by_address`, the address, or the userId of a user without one.
        """
        prefer_user_id = self.project.project_type != "email" and not by_address
        return self._fetch(protocol.get_list_users(list_id, prefer_user_id=prefer_user_id), target)

    def fields(self) -> dict[str, str]:
        """Return the fields of users and their types at Iterable; nested ones have dotted names."""
        return answers.field_types(self.ask(protocol.get_fields()))

    def user(self, key: str, value: str) -> dict[str, Any] | None:
        """Return a user by `email` or `userId`; None where there is none. A change may show a minute later."""
        return answers.user(self.ask(protocol.get_user(key, value)))

    def start_export(self, query: UserQuery) -> int:
        """Start an export of users to files; return its id."""
        return answers.job_id(self.ask(protocol.start_export(query)))

    def export_state(self, job_id: int, after: str = "") -> ExportState:
        """Return how an export is, and those of its files whose names come after a name.

        Raises:
            JobLost: Iterable does not know it.
        """
        return answers.export_state(self.ask(protocol.get_export_files(job_id, after)))

    def cancel_export(self, job_id: int) -> None:
        """Cancel an export, which otherwise counts among the four that may run."""
        self.ask(protocol.cancel_export(job_id))

    def stream_users(self, query: UserQuery, target: Path, progress: Callable[[int], None]) -> Downloaded:
        """Bring users here as one answer, a JSON object a line; four calls a minute."""
        return self._fetch(protocol.stream_users(query), target, progress)

    def download(self, url: str, target: Path, progress: Callable[[int], None]) -> Downloaded:
        """Fetch a file of an export, as `http.download` does. The key does not go along to other hosts."""
        return download(self._sender, url, target, progress=progress)

    def ask(self, call: Call, cancelled: threading.Event | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Make a call and return its answer; errors as of `answers.decipher`."""
        request = _request(call, self.project)
        return self._sender.send(request, lambda found: answers.decipher(call, found.status, found.body), cancelled)

    def each(
        self, calls: Iterable[Call], *, workers: int = 16
    ) -> Generator[tuple[int, dict[str, Any] | CdpSyncError], None, None]:
        """Make many calls concurrently; yield each one's place, counted from 0, and answer, in order of completion.

        Calls are taken a few at a time, in the caller's thread; at most `workers` are under way.

        Raises:
            Transient: Iterable cannot be reached, or failed for ten calls in a row, each retried.
        """
        return concurrent_calls.each(self.ask, calls, workers=workers, wake=self._sender.wake, cut=self._sender.cut)

    def concurrently(
        self, work: Callable[[Any, threading.Event], Any], items: Iterable[Any], *, workers: int
    ) -> Generator[tuple[int, Any], None, None]:
        """Do work that calls, for each item, as `each` does."""
        return concurrent_calls.each(work, items, workers=workers, wake=self._sender.wake, cut=self._sender.cut)

    def _fetch(self, call: Call, target: Path, progress: Callable[[int], None] = lambda _size: None) -> Downloaded:
        url = f"{call.url(self.project.address)}?{protocol.query_text(call)}"
        return download(self._sender, url, target, key=call.kind, progress=progress)


def _request(call: Call, project: IterableProject) -> Request:
    return Request(call.kind, call.method, call.url(project.address), query=call.query, json=call.body)


def _usable(key: str, variable: str) -> str:
    """Return a key that a header can hold."""
    if not key.isascii() or not key.isprintable() or key != key.strip():
        raise SettingUnusable(
            f"The environment variable {variable} holds blanks, line breaks or letters that no API key has.",
            remedy="Copy the key again, without anything around it.",
        )
    return key
