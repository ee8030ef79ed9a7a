"""Whether a project can be used: the key, its kind and data centre, the project's type, lists and fields."""

import time
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.connectors.iterable import goals
from cdp_sync.connectors.iterable.check import check
from cdp_sync.connectors.iterable.goals import IterableConnection
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.exchange import DAY, KEY, NOON, PROFILES, column, iterable, person, users_goal

MOBILE = "mobile-key-7"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a process that checks, whose limits are its own."""
    monkeypatch.setenv("KEY", KEY)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def connection(url: str | None, *declared: Any, **fields: Any) -> IterableConnection:
    """Return a connection to an address with these goals."""
    address = {"base_url": url} if url else {}
    return IterableConnection.model_validate(
        {"name": "crm", "api_key_env": "KEY", "import_profiles": list(declared), **address, **fields}
    )


def problems(declared: IterableConnection) -> list[str]:
    """Return what is not as it should be."""
    return [sentence for sentence, is_fine in check(declared, PROFILES) if not is_fine]


def test_all_is_in_order(box: IterableSandbox) -> None:
    """Each thing that was looked at is named."""
    box.load([person("ann", "Main")])
    goal = users_goal(**{"from": {"lists": ["Main"]}})
    found = list(check(connection(box.url, goal), PROFILES))
    assert all(is_fine for _, is_fine in found), found
    assert [sentence.partition(":")[0] for sentence, _ in found] == ["key", "project_type", "users", "users"]


def test_a_wrong_key_is_a_problem(box: IterableSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is looked at, and the key is not shown."""
    monkeypatch.setenv("KEY", "wrong-key")
    (problem,) = problems(connection(box.url))
    assert "does not know the API key" in problem
    assert "wrong-key" not in problem


def test_the_key_of_an_app_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Needed is a server-side key."""
    with iterable(mobile_key=MOBILE) as box:
        monkeypatch.setenv("KEY", MOBILE)
        (problem,) = problems(connection(box.url))
    assert "server-side key" in problem


def test_the_other_data_centre_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the declared one does not know the key, and the other one does."""
    with iterable() as ours, iterable(mobile_key=MOBILE) as other:
        other.api_key, ours.api_key = KEY, "another"
        monkeypatch.setitem(goals.ADDRESSES, "us", ours.url)
        monkeypatch.setitem(goals.ADDRESSES, "eu", other.url)
        (problem,) = problems(connection(None))
        assert "declare data_center: eu" in problem
        assert problems(connection(None, data_center="eu")) == []
        other.api_key = "none"
        (problem,) = problems(connection(None))
        assert "declare data_center" not in problem


@pytest.mark.parametrize(("kind", "declared"), [("email", "hybrid"), ("hybrid", "email"), ("user_id", "email")])
def test_another_project_type_is_a_problem(kind: Any, declared: str) -> None:
    """By the field that memberships of lists stand in."""
    with iterable(kind) as box:
        box.project.fields.types.pop("userListIds" if kind == "email" else "emailListIds", None)
        held = problems(connection(box.url, project_type=declared))
        assert any("project_type" in each for each in held), held
        assert problems(connection(box.url, project_type=kind)) == []


def test_users_without_the_key_of_the_project_type_are_a_problem(box: IterableSandbox) -> None:
    """As far as users who changed lately show it."""
    box.clock.advance(time.time() - box.clock())
    box.load([person("ann", updated=-time.time() + NOON.timestamp() + DAY / 2)])
    (problem,) = problems(connection(box.url, project_type="user_id"))
    assert "no userId" in problem
    assert problems(connection(box.url, project_type="hybrid")) == []


VALUES = {"visits": 3, "ltv": 2.5, "vip": True, "since": "2026-02-03", "plan": "gold", "address": {"city": "X"}}
"""A value of each of Iterable's types."""
UNREADABLE = {
    "email": ("visits", "ltv", "vip", "since", "address"),
    "number": ("ltv", "vip", "since", "address"),
    "decimal": ("vip", "since", "address"),
    "date": ("visits", "ltv", "vip", "address"),
    "datetime": ("visits", "ltv", "vip", "address"),
    "boolean": ("ltv", "since", "address"),
    "text": (),
}
"""The fields that a property of each type does not read."""


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_field_of_another_type_is_a_problem(kind: str, box: IterableSandbox) -> None:
    """Before a run, with both types; what can be read is none."""
    box.load([person("ann", **VALUES)])
    name = "email" if kind == "email" else f"{kind}_one"
    goals = [users_goal(name=field, map=[column(field, name)]) for field in VALUES]
    found = problems(connection(box.url, *goals))
    assert [each.partition(":")[0] for each in found] == list(UNREADABLE[kind])
    assert all(f"{name!r}" in each for each in found)


def test_a_field_that_a_processor_misspells_is_a_problem(box: IterableSandbox) -> None:
    """A field that a processor reads in another case is named, also where the processor writes it."""
    box.load([person("ann", city="Ghent")])
    goal = users_goal(processors=[{"casing": {"field": "City", "to": "lower"}}])
    (problem,) = problems(connection(box.url, goal))
    assert "no user has the field 'City'; did you mean 'city'" in problem


def test_dates_are_read_in_the_declared_form(box: IterableSandbox) -> None:
    """Iterable's dates by none that counts seconds, which a number is read by."""
    box.load([person("ann", **VALUES)])
    seconds = users_goal(map=[column("visits", "date_one")], format={"dates": "epoch_seconds"})
    assert problems(connection(box.url, seconds)) == []
    (problem,) = problems(
        connection(box.url, seconds.model_copy(update={"map": users_goal(map=[column("since", "date_one")]).map}))
    )
    assert "format.dates" in problem


def test_arrays_of_every_project_need_a_property_of_several(box: IterableSandbox) -> None:
    """As the lists of a user do; as text they are JSON."""
    names = ("number_one", "number_list", "text_one")
    goals = [users_goal(name=name, map=[column("emailListIds", name)]) for name in names]
    (problem,) = problems(connection(box.url, *goals))
    assert "number_one" in problem


def test_fields_of_processors_are_checked(box: IterableSandbox) -> None:
    """One that a processor reads has to exist; one that it writes may hold anything."""
    box.load([person("ann", **VALUES)])
    mask = {"convert_values": {"field": "vip", "values": {"true": "2"}}}
    split = {"split": {"field": "plan", "separator": "-", "into": ["first", "second"]}}
    goal = users_goal(map=[column("vip", "number_one"), column("second", "text_one")], processors=[mask, split])
    assert problems(connection(box.url, goal)) == []
    (problem,) = problems(connection(box.url, users_goal(processors=[{"filter": {"field": "countri", "keep": "NL"}}])))
    assert "'countri'" in problem


def test_lists_and_fields_that_are_not_there_are_problems(box: IterableSandbox) -> None:
    """Each by name, with a suggestion."""
    box.load([person("ann", "Main"), {"list": "Twice"}, {"list": "Twice"}])
    goal = users_goal(**{"from": {"lists": ["Nowhere", "Twice", 5]}, "map": [{"field": "plann", "property": "x"}]})
    found = problems(connection(box.url, goal))
    assert len(found) == 4
    assert "'Nowhere'" in found[0]
    assert "Declare one" in found[1]
    assert "'plann'" in found[3]
    assert "plan" in found[3].partition(";")[2]
