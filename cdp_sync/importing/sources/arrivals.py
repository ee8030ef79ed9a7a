"""Decides from looks at a server's directories when a run is due, without reading the ledger.

What is seen of a file, its state, is its goal, name, size and time, by the server's clock only. A state counts once two
looks agree on it. It is asked for in one run; when that run fails, in another, after a pause that grows.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cdp_sync.importing.sources.scanning import Directory, is_marked, select_files
from cdp_sync.model import FileGoal, RemoteFile
from cdp_sync.retrying import Backoff, Pauses

_WIDTH = 8
"""Bytes of a state's digest. Two states of a directory of 10,000 files coincide once in 10^11 directories."""
_PAUSES = Pauses(30.0, 4.0, 24 * 3600.0)

States = frozenset[bytes]


@dataclass(frozen=True)
class Look:
    """What is on the server: the states of all files that goals want, and which of them are whole beyond doubt."""

    states: States
    whole: States = frozenset()
    files: Mapping[bytes, tuple[str, RemoteFile]] = field(default_factory=dict, compare=False)
    """What states are of: the goal, as it was given to `look_at`, and the file."""


def look_at(server: Directory, goals: Mapping[str, FileGoal]) -> Look:
    """Look at each directory once. Goals go by fingerprint: under another declaration, a file is another one."""
    listings: dict[str, list[RemoteFile]] = {}
    files: dict[bytes, tuple[str, RemoteFile]] = {}
    whole: set[bytes] = set()
    for fingerprint, goal in goals.items():
        if goal.directory not in listings:
            listings[goal.directory] = server.list_directory(goal.directory)
        listing = listings[goal.directory]
        found = select_files(listing, goal)
        if goal.complete.marker:
            names = {file.name for file in listing}
            found = [file for file in found if is_marked(file, goal.complete.marker, names)]
            whole |= {state_of(fingerprint, file) for file in found}
        files |= {state_of(fingerprint, file): (fingerprint, file) for file in found}
    return Look(frozenset(files), frozenset(whole), files)


def goal_key(goal: str, fingerprint: str) -> str:
    """Return what `look_at` is to know a goal by."""
    return f"{goal}/{fingerprint}"


def state_of(goal: str, file: RemoteFile) -> bytes:
    """Return the state of a goal's file; the goal as `goal_key` names it."""
    identity = f"{goal}\n{file.size}\n{file.modified_at.timestamp()}\n{file.path}"
    return hashlib.blake2b(identity.encode(), digest_size=_WIDTH).digest()


@dataclass(frozen=True)
class Memory:
    """What is remembered between two looks."""

    began_at: float = 0.0
    """When it began, and which request is the next: two requests for the same states have different keys."""
    requests: int = 0
    looked_at: float = 0.0
    """When the last look was, in seconds since 1970 by our own clock."""
    seen: States = frozenset()
    """Seen once, and not asked for yet."""
    asked: Mapping[str, States] = field(default_factory=dict)
    """What runs under way were asked to import, by the key of the request."""
    failed: Mapping[bytes, Backoff] = field(default_factory=dict)
    """States whose last run failed."""
    done: States = frozenset()
    """States whose run succeeded."""

    def settle(self, outcomes: Mapping[str, bool], now: float) -> "Memory":
        """Return what is remembered once requests have come to an end: with success, or without."""
        asked, done, failed = dict(self.asked), set(self.done), dict(self.failed)
        for key, succeeded in outcomes.items():
            states = asked.pop(key, frozenset())
            if succeeded:
                done |= states
                failed = {state: retry for state, retry in failed.items() if state not in states}
            else:
                failed |= {state: failed.get(state, Backoff()).failed(now, _PAUSES) for state in states}
        return replace(self, asked=asked, done=frozenset(done), failed=failed)

    def forget_what_is_gone(self, look: Look) -> "Memory":
        """Return what is remembered of files that are there as they were: what comes back counts as new."""
        failed = {state: retry for state, retry in self.failed.items() if state in look.states}
        asked = {key: states & look.states for key, states in self.asked.items()}
        return replace(self, done=self.done & look.states, failed=failed, asked=asked)

    def note(self, look: Look, now: float) -> "Memory":
        """Return what is remembered after a look that asks for nothing."""
        known = self.done.union(self.failed, *self.asked.values())
        began_at = self.began_at or now
        return replace(self.forget_what_is_gone(look), began_at=began_at, looked_at=now, seen=look.states - known)

    def take(self, states: States) -> "Memory":
        """Return what is remembered once states were imported that no request was made for."""
        failed = {state: retry for state, retry in self.failed.items() if state not in states}
        return replace(self, done=self.done | states, seen=self.seen - states, failed=failed)

    def due(self, look: Look, now: float) -> States:
        """Return the states that a run is to be asked for."""
        new = look.states - self.done.union(self.failed, *self.asked.values())
        retries = {state for state, retry in self.failed.items() if retry.not_before <= now}
        asked: States = frozenset().union(*self.asked.values())
        return frozenset((new & self.seen) | (new & look.whole) | ((retries & look.states) - asked))

    def ask(self, states: States) -> tuple[str, "Memory"]:
        """Return the key of a request for these states, and what is remembered once it is made.

        The same memory yields the same key, so a request that was not recorded is repeated under its key. A request for
        a file that is back as it was before has another key.
        """
        request = (self.began_at, self.requests, sorted(states))
        key = hashlib.blake2b(repr(request).encode(), digest_size=_WIDTH).hexdigest()
        asked = {**self.asked, key: states}
        return key, replace(self, asked=asked, seen=self.seen - states, requests=self.requests + 1)

    def write(self) -> str:
        """Return it as text."""
        return json.dumps(
            {
                "began_at": self.began_at,
                "requests": self.requests,
                "looked_at": self.looked_at,
                "seen": _packed(self.seen),
                "asked": {key: _packed(states) for key, states in self.asked.items()},
                "failed": {state.hex(): [retry.failures, retry.not_before] for state, retry in self.failed.items()},
                "done": _packed(self.done),
            }
        )

    @classmethod
    def read(cls, text: str | None) -> "Memory":
        """Return what was written; nothing is remembered where that cannot be read."""
        try:
            memory = json.loads(text or "")
            return cls(
                float(memory["began_at"]),
                int(memory["requests"]),
                float(memory["looked_at"]),
                _unpacked(memory["seen"]),
                {key: _unpacked(states) for key, states in memory["asked"].items()},
                {bytes.fromhex(state): Backoff(*retry) for state, retry in memory["failed"].items()},
                _unpacked(memory["done"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()


def _packed(states: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(states))).decode()


def _unpacked(text: str) -> States:
    packed = base64.b64decode(text)
    return frozenset(packed[place : place + _WIDTH] for place in range(0, len(packed), _WIDTH))
