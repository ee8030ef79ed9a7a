"""Looks at a server, one after the other: what is asked for, when, and how often."""

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
    """Plays the directory."""

    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Size, and seconds after NOON, by name."""
    listings: int = 0

    def list_directory(self, directory: str) -> list[RemoteFile]:
        """List it."""
        self.listings += 1
        return [
            RemoteFile(NOON + timedelta(seconds=at), f"{directory}/{name}", size)
            for name, (size, at) in self.files.items()
        ]


@dataclass
class Watcher:
    """Looks on demand, half a minute apart."""

    server: Server = field(default_factory=Server)
    goals: dict[str, FileGoal] = field(default_factory=lambda: {"f1": FileGoal.model_validate(GOAL)})
    memory: Memory = field(default_factory=Memory)
    now: float = 1000.0
    requests: list[str] = field(default_factory=list)
    ended: dict[str, bool] = field(default_factory=dict)

    def look(self) -> str | None:
        """Look once; return the key of what is asked for."""
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
        """Let a run end."""
        assert key
        self.ended[key] = succeeded


def test_a_file_counts_once_two_looks_agree() -> None:
    """The first look notes it, the second asks for it, later ones don't."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    assert watcher.look() is None
    assert watcher.look()
    assert watcher.look() is None
    watcher.end(watcher.requests[0], succeeded=True)
    assert [watcher.look(), watcher.look()] == [None, None]


def test_a_growing_file_waits() -> None:
    """As long as size or time differ from the look before, nothing is asked for."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    for size in (10, 20, 30):
        watcher.server.files["a.csv"] = (size, 0)
        assert watcher.look() is None
    assert watcher.look()


@pytest.mark.parametrize("later", [(10, 1), (11, 0), (10, -86400 * 900)])
def test_whatever_differs_is_another_state(later: tuple[int, int]) -> None:
    """A file replaced by one of the same size, by one of the same time, or by one that is years older."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    watcher.look()
    watcher.end(watcher.look(), succeeded=True)
    watcher.server.files["a.csv"] = later
    assert watcher.look() is None
    assert watcher.look()


def test_a_renamed_file_is_another_and_a_temporary_name_is_none() -> None:
    """While it is called `.part` it is not seen at all."""
    watcher = Watcher(Server({"a.csv.part": (10, 0)}))
    assert [watcher.look(), watcher.look()] == [None, None]
    watcher.server.files = {"a.csv": (10, 0)}
    assert watcher.look() is None
    assert watcher.look()


def test_a_marker_counts_at_once() -> None:
    """Who says that a file is whole needs no second look; without the marker it is not there."""
    goal = FileGoal.model_validate({**GOAL, "complete": {"marker": "{name}.done"}})
    watcher = Watcher(Server({"a.csv": (10, 0)}), {"f1": goal})
    assert [watcher.look(), watcher.look()] == [None, None]
    watcher.server.files["a.csv.done"] = (0, 1)
    assert watcher.look()


def test_what_failed_is_asked_for_again_after_pauses_that_grow() -> None:
    """Each time under another key, as Dagster runs a key once for ever."""
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


def test_what_is_new_does_not_wait_for_what_failed() -> None:
    """Another file is asked for by itself, while the first one pauses."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    watcher.look()
    watcher.end(watcher.look(), succeeded=False)
    watcher.server.files["b.csv"] = (20, 0)
    watcher.look()
    key = watcher.look()
    assert key
    assert len(watcher.memory.asked[key]) == 2  # the first one's pause is over by then, so one run does for both


def test_a_changed_declaration_makes_every_file_another_one() -> None:
    """The ledger would call them stale; nobody need start that run by hand."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    watcher.look()
    watcher.end(watcher.look(), succeeded=True)
    watcher.goals = {"f2": FileGoal.model_validate(GOAL)}
    assert watcher.look() is None
    assert watcher.look()


def test_a_directory_is_listed_once_for_all_its_goals() -> None:
    """Two goals, one directory, one listing."""
    one, two = FileGoal.model_validate(GOAL), FileGoal.model_validate({**GOAL, "name": "two", "files": "b*"})
    server = Server({"a.csv": (1, 0), "b.csv": (1, 0)})
    assert len(look_at(server, {"f1": one, "f2": two}).states) == 3
    assert server.listings == 1


@pytest.mark.parametrize("text", [None, "", "{}", "no json", '{"looked_at": "x"}', '{"seen": 3}'])
def test_a_lost_memory_begins_anew(text: str | None) -> None:
    """Files are then asked for once more, and the ledger knows them."""
    assert Memory.read(text) == Memory()


def test_ten_thousand_files_are_remembered_in_little_room() -> None:
    """About eleven bytes for each."""
    watcher = Watcher(Server({f"{number}.csv": (number, number) for number in range(10_000)}))
    watcher.look()
    watcher.end(watcher.look(), succeeded=True)
    watcher.look()
    assert len(watcher.memory.done) == 10_000
    assert len(watcher.memory.write()) < 120_000


@given(st.integers(0, 2**32))
def test_in_the_end_every_file_has_been_imported_as_it_is(seed: int) -> None:
    """Files come, grow, go, come back and are renamed; runs succeed and fail; the memory gets lost: none is missed.

    No key is used twice.
    """
    chance, watcher = random.Random(seed), Watcher()
    ledger: dict[str, tuple[int, int]] = {}
    under_way: list[str] = []
    for _ in range(30):
        _change(watcher.server, chance)
        if chance.random() < 0.03:
            watcher.memory = Memory()
        if asked := watcher.look():
            under_way.append(asked)
        for key in [key for key in under_way if chance.random() < 0.7]:
            succeeded = chance.random() < 0.7
            ledger.update(watcher.server.files if succeeded else {})
            watcher.end(key, succeeded=succeeded)
            under_way.remove(key)
    for key in under_way:
        watcher.end(key, succeeded=False)
    _let_it_settle(watcher, ledger)
    assert watcher.server.files.items() <= ledger.items()
    assert len(set(watcher.requests)) == len(watcher.requests)


def _let_it_settle(watcher: Watcher, ledger: dict[str, tuple[int, int]]) -> None:
    for _ in range(10_000):
        if key := watcher.look():
            ledger.update(watcher.server.files)
            watcher.end(key, succeeded=True)
        memory = watcher.memory
        if not (memory.failed or memory.seen or memory.asked or watcher.ended):
            return
    raise AssertionError


def _change(server: Server, chance: random.Random) -> None:
    name = f"{chance.randrange(5)}.csv"
    match chance.randrange(4):
        case 0:
            server.files[name] = (chance.randrange(3), chance.randrange(3))
        case 1:
            server.files.pop(name, None)
        case 2 if name in server.files:
            server.files[f"{chance.randrange(5)}.csv"] = server.files.pop(name)
        case _:
            pass


def test_a_look_is_a_value() -> None:
    """Two looks at the same files are equal, however they are listed."""
    files = {"a.csv": (1, 0), "b.csv": (2, 0)}
    goals = {"f1": FileGoal.model_validate(GOAL)}
    assert look_at(Server(files), goals) == look_at(Server(dict(reversed(files.items()))), goals)
    assert look_at(Server(), goals) == Look(frozenset())


def test_a_file_that_is_back_as_it_was_is_asked_for_again() -> None:
    """Meanwhile another one had its name, so that the ledger knows that."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    for state in ((10, 0), (20, 0), (10, 0)):
        watcher.server.files["a.csv"] = state
        watcher.look()
        watcher.end(watcher.look(), succeeded=True)
    assert len(set(watcher.requests)) == 3


def test_a_request_that_could_not_be_remembered_is_made_under_the_same_key() -> None:
    """Dagster then knows that it has the run already."""
    watcher = Watcher(Server({"a.csv": (10, 0)}))
    watcher.look()
    before = watcher.memory
    first = watcher.look()
    watcher.memory = before
    assert watcher.look() == first
