"""The sensor's evaluations: which files are requested, when, and how often."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.importing.sources.arrivals import Look, Memory, look_at
from cdp_sync.model import FileGoal, RemoteFile

GOAL = {"name": "people", "directory": "/inbox", "files": "*.csv", "link": [{"field": "E", "property": "email"}]}
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass
class Server:
    """A directory that the test changes."""

    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Size, and modification time in seconds after NOON, by name."""
    listings: int = 0

    def list_directory(self, directory: str) -> list[RemoteFile]:
        """Return the files and count the listing."""
        self.listings += 1
        return [
            RemoteFile(NOON + timedelta(seconds=at), f"{directory}/{name}", size)
            for name, (size, at) in self.files.items()
        ]


@dataclass
class Watcher:
    """Evaluates the sensor on demand, at intervals of 30 seconds."""

    server: Server = field(default_factory=Server)
    goals: dict[str, FileGoal] = field(default_factory=lambda: {"f1": FileGoal.model_validate(GOAL)})
    memory: Memory = field(default_factory=Memory)
    now: float = 1000.0
    requests: list[str] = field(default_factory=list)
    ended: dict[str, bool] = field(default_factory=dict)

    def look(self) -> str | None:
        """Evaluate once; return the key of the run request, if any."""
        self.now += 30
        memory, self.ended = self.memory.settle(self.ended, self.now), {}
        found = look_at(self.server, self.goals)
        due = memory.due(found, self.now)
        memory, key = memory.note(found, self.now), None
        if due:
            key, memory = memory.ask(due)
            self.requests.append(key)
        self.memory = Memory.read(memory.write())
        assert self.memory == memory
        return key

    def end(self, key: str | None, *, succeeded: bool) -> None:
        """Record the end of a requested run."""
        assert key
        self.ended[key] = succeeded


def test_a_file_is_requested_after_two_equal_looks() -> None:
    """The first evaluation records a file, the second requests it, later ones do not."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    assert watcher.look() is None
    assert watcher.look()
    assert watcher.look() is None
    watcher.end(watcher.requests[0], succeeded=True)
    assert [watcher.look(), watcher.look()] == [None, None]


def test_a_growing_file_waits() -> None:
    """A file is not requested as long as its size or time changes."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    for size in (10, 20, 30):
        watcher.server.files["a.csv"] = (size, 0)
        assert watcher.look() is None
    assert watcher.look()


@pytest.mark.parametrize("later", [(10, 1), (11, 0), (10, -86400 * 900)])
def test_a_replaced_file_is_requested_again(later: tuple[int, int]) -> None:
    """A file with another size or another time, even an older one, is requested again."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    watcher.look()
    watcher.end(watcher.look(), succeeded=True)
    watcher.server.files["a.csv"] = later
    assert watcher.look() is None
    assert watcher.look()


def test_a_temporary_file_is_requested_after_its_rename() -> None:
    """A `.part` file is ignored; after its rename it counts as a new file."""
    watcher = Watcher(Server({"a.csv.part": (10, 0)}))
    assert [watcher.look(), watcher.look()] == [None, None]
    watcher.server.files = {"a.csv": (10, 0)}
    assert watcher.look() is None
    assert watcher.look()


def test_a_file_with_a_marker_is_requested_at_once() -> None:
    """A file with a marker is requested at once; without its marker it is ignored."""
    goal = FileGoal.model_validate({**GOAL, "complete": {"marker": "{name}.done"}})
    watcher = Watcher(Server({"a.csv": (10, 0)}), {"f1": goal})
    assert [watcher.look(), watcher.look()] == [None, None]
    watcher.server.files["a.csv.done"] = (0, 1)
    assert watcher.look()


def test_a_failed_file_is_retried_with_backoff() -> None:
    """A failed file is retried with exponential backoff, each time under a new key, as Dagster skips known keys."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    watcher.look()
    times = []
    for _ in range(4):
        while (key := watcher.look()) is None:
            pass
        times.append(watcher.now)
        watcher.end(key, succeeded=False)
    assert len(set(watcher.requests)) == 4
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == [60, 150, 510]
    watcher.look()
    assert max(retry.not_before for retry in watcher.memory.failed.values()) <= watcher.now + 24 * 3600


def test_a_new_file_does_not_wait_for_a_failed_one() -> None:
    """A new file is requested without waiting for the backoff of a failed one."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    watcher.look()
    watcher.end(watcher.look(), succeeded=False)
    watcher.server.files["b.csv"] = (20, 0)
    watcher.look()
    key = watcher.look()
    assert key
    assert len(watcher.memory.asked[key]) == 2  # the backoff of the first file has ended, so one run imports both


def test_a_changed_goal_requests_every_file_again() -> None:
    """After a change of the goal every file is requested again, since the ledger has it as stale."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    watcher.look()
    watcher.end(watcher.look(), succeeded=True)
    watcher.goals = {"f2": FileGoal.model_validate(GOAL)}
    assert watcher.look() is None
    assert watcher.look()


def test_a_directory_is_listed_once_for_all_its_goals() -> None:
    """A directory with two goals is listed once."""
    one, two = FileGoal.model_validate(GOAL), FileGoal.model_validate({**GOAL, "name": "two", "files": "b*"})
    server = Server({"a.csv": (1, 0), "b.csv": (1, 0)})
    assert len(look_at(server, {"f1": one, "f2": two}).states) == 3
    assert server.listings == 1


@pytest.mark.parametrize("text", [None, "", "{}", "no json", '{"looked_at": "x"}', '{"seen": 3}'])
def test_unreadable_memory_is_replaced_by_an_empty_one(text: str | None) -> None:
    """Memory that is missing or cannot be parsed is replaced by an empty one."""
    assert Memory.read(text) == Memory()


def test_ten_thousand_files_take_few_bytes() -> None:
    """Ten thousand files take less than 12 bytes each."""
    watcher = Watcher(Server({f"{number}.csv": (number, number) for number in range(10_000)}))
    watcher.look()
    watcher.end(watcher.look(), succeeded=True)
    watcher.look()
    assert len(watcher.memory.done) == 10_000
    assert len(watcher.memory.write()) < 120_000


@given(st.integers(0, 2**32))
def test_every_file_is_imported_in_its_last_version(seed: int) -> None:
    """After random changes, failures and lost memory, every file is imported in its last version.

    No key is requested twice.
    """
    rng, watcher = random.Random(seed), Watcher()
    ledger: dict[str, tuple[int, int]] = {}
    under_way: list[str] = []
    for _ in range(30):
        _change(watcher.server, rng)
        if rng.random() < 0.03:
            watcher.memory = Memory()
        if asked := watcher.look():
            under_way.append(asked)
        for key in [key for key in under_way if rng.random() < 0.7]:
            succeeded = rng.random() < 0.7
            ledger.update(watcher.server.files if succeeded else {})
            watcher.end(key, succeeded=succeeded)
            under_way.remove(key)
    for key in under_way:
        watcher.end(key, succeeded=False)
    _look_until_idle(watcher, ledger)
    assert watcher.server.files.items() <= ledger.items()
    assert len(set(watcher.requests)) == len(watcher.requests)


def _look_until_idle(watcher: Watcher, ledger: dict[str, tuple[int, int]]) -> None:
    for _ in range(10_000):
        if key := watcher.look():
            ledger.update(watcher.server.files)
            watcher.end(key, succeeded=True)
        memory = watcher.memory
        if not (memory.failed or memory.seen or memory.asked or watcher.ended):
            return
    raise AssertionError


def _change(server: Server, rng: random.Random) -> None:
    name = f"{rng.randrange(5)}.csv"
    match rng.randrange(4):
        case 0:
            server.files[name] = (rng.randrange(3), rng.randrange(3))
        case 1:
            server.files.pop(name, None)
        case 2 if name in server.files:
            server.files[f"{rng.randrange(5)}.csv"] = server.files.pop(name)
        case _:
            pass


def test_looks_at_the_same_files_are_equal() -> None:
    """Two evaluations of the same files are equal, whatever the order of the listing."""
    files = {"a.csv": (1, 0), "b.csv": (2, 0)}
    goals = {"f1": FileGoal.model_validate(GOAL)}
    assert look_at(Server(files), goals) == look_at(Server(dict(reversed(files.items()))), goals)
    assert look_at(Server(), goals) == Look(frozenset())


def test_an_earlier_version_is_requested_again() -> None:
    """A file that returns to an earlier version is requested again."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    for state in ((10, 0), (20, 0), (10, 0)):
        watcher.server.files["a.csv"] = state
        watcher.look()
        watcher.end(watcher.look(), succeeded=True)
    assert len(set(watcher.requests)) == 3


def test_an_unsaved_request_keeps_its_key() -> None:
    """A request that was not saved is repeated under the same key, which Dagster skips."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    watcher.look()
    before = watcher.memory
    first = watcher.look()
    watcher.memory = before
    assert watcher.look() == first
