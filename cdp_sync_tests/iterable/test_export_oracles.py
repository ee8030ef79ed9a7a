"""What users and lists hold after exports, against second, plain implementations of the rules."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cdp_sync_tests.generated import examples
from cdp_sync_tests.iterable.exchange import HOUR, TYPES, column, iterable, users_goal
from cdp_sync_tests.iterable.exporting import Exchange, addresses, audience, exchange, mapped, profile

texts = st.lists(st.sampled_from(("a", "É", "😀", " ", ",", '"', "'", "\n", "\\", "\\u0000", '","key":"', "<")))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": texts.map("".join),
    "number": st.integers(-(2**53), 2**53),
    "decimal": st.integers(-(10**9), 10**9).map(lambda number: Decimal(number).scaleb(-4)),
    "date": st.dates(date(1000, 1, 1), date(9999, 12, 31)),
    "datetime": st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    "boolean": st.booleans(),
}
NAMES = [f"{kind}_{many}" for kind in TYPES for many in ("one", "list")]
held = st.fixed_dictionaries(
    {
        name: st.none()
        | (st.lists(VALUES[name[:-5]], max_size=3, unique=True) if name.endswith("list") else VALUES[name[:-4]])
        for name in NAMES
    }
)


def at_iterable(value: Any) -> Any:
    """Return what Iterable holds of a property's value."""
    if isinstance(value, list):
        return [at_iterable(each) for each in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return f"{value.year:04}-{value:%m-%d %H:%M:%S} +00:00"
    return f"{value} 00:00:00 +00:00" if isinstance(value, date) else value


@examples(3)
@given(people=st.lists(held, min_size=1, max_size=12), clear=st.booleans())
@example(people=[{"text_one": "\\u0000"}, {"text_one": '","key":"'}], clear=True)
def test_users_hold_what_profiles_hold(
    people: list[dict[str, Any]], *, clear: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the values are, each in the type of its property; what is empty has no field."""
    with iterable() as box:
        goal = audience(map=[mapped(name) for name in NAMES], empty="clear" if clear else "keep", verify="all")
        crm = exchange(tmp_path_factory.mktemp("crm"), box, goal)
        crm.hold({**each, "email": f"p{number}@example.com"} for number, each in enumerate(people))
        assert crm.run().counters.profiles_not_deliverable == 0
        for number, each in enumerate(people):
            whole = {name: at_iterable(value) for name, value in each.items() if value is not None and value != []}
            if whole:
                fields = crm.fields(f"p{number}@example.com")
                assert {name: value for name, value in fields.items() if value != []} == whole


WRITTEN: dict[str, Any] = {
    "text_one": 'Zoë "Z",\n\\', "number_one": -7, "decimal_one": 2.5, "date_one": "1969-02-01",
    "datetime_one": "2021-07-13 15:22:00 +00:00", "boolean_one": True, "text_list": ["a b", 'c"d'],
    "number_list": [3, -4], "decimal_list": [0.25, 4.0], "date_list": ["2020-02-29"],
    "datetime_list": ["1999-12-31T23:59:59.000Z"], "boolean_list": [True, False],
}  # fmt: skip


@pytest.mark.parametrize("kind", ["email", "hybrid"])
def test_users_come_go_back_and_come_again(kind: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The second round changes no profile and no user."""
    with iterable(kind) as box:
        box.load(
            {"email": f"p{number}@example.com", "dataFields": fields, "updated": box.clock() - HOUR}
            for number, fields in enumerate((WRITTEN, {}, {"text_one": "x"}))
        )
        goal = audience(map=[mapped(name) for name in NAMES], empty="clear", create_users=False)
        crm = exchange(tmp_path_factory.mktemp("crm"), box, goal, project_type=kind)
        into = users_goal(map=[column(name, name, "set_or_clear") for name in NAMES])
        assert crm.bring(into).counters.profiles_created == 3
        before = there(crm)
        assert crm.run().counters.profiles_not_deliverable == 0
        assert there(crm) == before
        again = crm.bring(into).counters
        assert (again.profiles_created, again.profiles_updated) == (0, 0)
        written = crm.written()
        assert crm.run().counters.profiles_written == 0
        assert crm.written() == written


def there(crm: Exchange) -> list[tuple[Any, ...]]:
    """Return all users with their fields."""
    return [(user.email, user.user_id, user.fields, user.updated) for user in crm.box.project.users.values()]


PEOPLE = ("ann", "bob", "cat")
LISTS = ("Red", "Blue")

steps = st.one_of(
    st.tuples(st.sampled_from(["enter", "leave", "spend", "delete"]), st.sampled_from(PEOPLE)),
    st.tuples(st.sampled_from(["other puts", "other takes"]), st.sampled_from(PEOPLE), st.sampled_from(LISTS)),
    st.tuples(st.just("declare"), st.sets(st.sampled_from(LISTS), min_size=1)),
)


class Plain:
    """Who is on which list by the rules; it follows every step."""

    def __init__(self) -> None:
        self.inside: set[str] = set(PEOPLE)
        self.lists: set[str] = {"Red"}
        self.on: dict[str, set[str]] = {name: set() for name in LISTS}
        self.ours: set[tuple[str, str]] = set()
        """The users that the goal put there, where nobody else had."""
        self.there: set[str] = set()
        self.declared: set[str] = set()
        """The lists at the last run."""
        self.due: set[str] = set()
        """Who is another than when last sent, or was never sent."""

    def take(self, kind: str, *arguments: Any) -> None:
        """Follow a step."""
        ways: dict[str, Callable[..., object]] = {
            "enter": lambda who: self.inside.add(who),
            "leave": lambda who: self.inside.discard(who),
            "spend": lambda who: self.due.add(who),
            "delete": self._deleted,
            "other puts": lambda who, name: self.on[name].add(who) if who in self.there else None,
            "other takes": lambda who, name: self.on[name].discard(who),
            "declare": self._declared,
        }
        ways[kind](*arguments)

    def run(self) -> None:
        """Follow a run."""
        if self.lists != self.declared:
            self.declared, self.due = self.lists, set(PEOPLE)
        gone = {(who, name) for who, name in self.ours if who not in self.inside or name not in self.lists}
        for who, name in gone:
            self.on[name].discard(who)
        self.ours -= gone
        self.due |= {who for who, _ in gone}
        for who in self.inside & self.due:
            self.there.add(who)
            self.ours |= {(who, name) for name in self.lists if who not in self.on[name]}
            for name in self.lists:
                self.on[name].add(who)
        self.due -= self.inside

    def _deleted(self, who: str) -> None:
        self.there.discard(who)
        for name in LISTS:
            self.on[name].discard(who)

    def _declared(self, lists: set[str]) -> None:
        self.lists = lists


def act(crm: Exchange, numbers: Iterator[int], kind: str, *arguments: Any) -> None:
    """Take a step."""
    project = crm.box.project
    if kind == "declare":
        crm.goal = audience(segment="keen", lists=sorted(arguments[0]), remove_from_lists=True)
        return
    email = f"{arguments[0]}@example.com"
    user = project.find("email", email)
    if kind in ("enter", "leave"):
        crm.change(f"update warehouse.profile set keen = {kind == 'enter'} where email = '{email}'")
    elif kind == "spend":
        crm.change(f"update warehouse.profile set text_one = 'text {next(numbers)}' where email = '{email}'")
    elif user and kind == "delete":
        project.remove(user)
    elif user:
        change = project.subscribe if kind == "other puts" else project.unsubscribe
        found = next((each for each in project.lists.values() if each.name == arguments[1]), None)
        change(user, (found or project.add_list(arguments[1])).list_id)


@examples(3)
@given(rounds=st.lists(st.lists(steps, max_size=4), min_size=1, max_size=4))
@example(rounds=[[], [("leave", "ann")], [("enter", "ann")]])
@example(rounds=[[("other puts", "ann", "Blue")], [("declare", {"Red", "Blue"})], [("leave", "ann")]])
@example(rounds=[[], [("delete", "bob")], [("leave", "bob")], [("enter", "bob")]])
@example(rounds=[[("delete", "ann"), ("declare", {"Blue"}), ("declare", {"Red"})]])
@example(rounds=[[], [("declare", {"Blue"})], [("declare", {"Red", "Blue"}), ("leave", "cat")], [("enter", "cat")]])
def test_lists_hold_the_users_that_the_rules_put_there(
    rounds: list[list[tuple[Any, ...]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """People enter, leave, are deleted, or put there by others; lists are declared anew: all as the oracle says."""
    plain, numbers = Plain(), iter(range(1000))
    with iterable() as box:
        goal = audience(segment="keen", lists=["Red"], remove_from_lists=True)
        crm = exchange(tmp_path_factory.mktemp("crm"), box, goal)
        crm.hold(profile(name) for name in PEOPLE)
        for each in [[], *rounds]:
            for step in each:
                act(crm, numbers, *step)
                plain.take(*step)
            box.clock.advance(HOUR)
            crm.run()
            plain.run()
            assert {name: crm.on(name) for name in LISTS} == {name: addresses(who) for name, who in plain.on.items()}
            assert crm.emails() == addresses(plain.there)
