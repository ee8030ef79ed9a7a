"""Users and lists after exports, compared with second, plain implementations of the rules."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cdp_sync.model import Profiles
from cdp_sync_tests.exporting.exporter import EVERYBODY, KEEN
from cdp_sync_tests.generated import examples
from cdp_sync_tests.sailthru.exchange import PROPERTIES, TYPES, Exchange, column, person, sailthru, users_goal
from cdp_sync_tests.sailthru.exported import audience_of

texts = st.lists(st.sampled_from(("a", "É", "😀", " ", ",", '"', "'", "\n", "\r\n", "\\", "\\u0000", "0", "\t", "<")))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": texts.map("".join),
    "number": st.integers(-(2**63), 2**63 - 1),
    "decimal": st.one_of(
        st.sampled_from([Decimal(number) for number in ("0.5", "-0.5", "1.5", "-2.5", "99999999999999.9999")]),
        st.integers(-(10**9), 10**9).map(lambda number: Decimal(number).scaleb(-4)),
    ),
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "datetime": st.one_of(
        st.sampled_from([datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), datetime(1, 1, 1, tzinfo=UTC)]),
        st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - it adds it
    ),
    "boolean": st.booleans(),
}
FIELDS = {
    f"{name}{suffix}": name
    for kind in TYPES
    for name in (f"{kind}_one", f"{kind}_list")
    for suffix in (("", "_time", "_date") if kind in ("date", "datetime") else ("",))
}
"""Custom fields and the property of each."""

held = st.fixed_dictionaries(
    {
        name: st.none() | (st.lists(VALUES[kind], max_size=3, unique=True) if name.endswith("list") else VALUES[kind])
        for kind in TYPES
        for name in (f"{kind}_one", f"{kind}_list")
    }
)


@examples(3)
@given(people=st.lists(held, min_size=1, max_size=12), decimals=st.sampled_from(["integer", "number"]))
@example(people=[{"text_one": "\\u0000"}], decimals="integer")
def test_values_follow_the_rules(
    people: list[dict[str, Any]], decimals: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Users have the values of the rules for any profiles, sent individually and as one file."""
    fields = [column(name, field) for field, name in FIELDS.items()]
    for bulk_from in (1000, 1):
        goal = users_goal(map=fields, decimals=decimals, lists=["Main"], bulk_from=bulk_from)
        with sailthru() as box:
            crm = Exchange(tmp_path_factory.mktemp("crm"), goal=goal, box=box)
            crm.hold({**each, "email": f"p{number}@example.com"} for number, each in enumerate(people))
            report = crm.run()
            whole = [each for each in people if any(value is not None and value != [] for value in each.values())]
            assert report.counters.profiles_not_deliverable == 0
            assert report.counters.profiles_written == len(box.account.users) >= len(whole) * (bulk_from > 0)
            for number, each in enumerate(people):
                if each in whole:
                    assert crm.vars(f"p{number}@example.com") == audience_of(each, FIELDS, decimals)


# Who is on which list


NAMES = ("ann", "bob", "cat")
LISTS = ("Red", "Blue")

steps = st.one_of(
    st.tuples(st.sampled_from(["enter", "leave", "spend", "hide", "delete"]), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(["other puts", "other takes"]), st.sampled_from(NAMES), st.sampled_from(LISTS)),
    st.tuples(st.just("declare"), st.sets(st.sampled_from(LISTS), min_size=1)),
    st.tuples(st.just("process"), st.booleans()),
)
HIDDEN = {"filter": {"field": "text_one", "drop": "hidden"}}
"""Drops those who hide, until they spend."""


class MembershipModel:
    """A model of list membership by the rules, updated with every step."""

    def __init__(self) -> None:
        self.inside: set[str] = set(NAMES)
        self.lists: set[str] = {"Red"}
        self.on: dict[str, set[str]] = {name: set() for name in LISTS}
        self.ours: set[tuple[str, str]] = set()
        """Memberships that the goal added."""
        self.there: set[str] = set()
        self.hidden: set[str] = set()
        self.filters = False
        """Whether a processor drops those who hide."""
        self.declared: tuple[set[str], bool] | None = None
        """The lists and processors at the last run."""
        self.due: set[str] = set()
        """Profiles that changed after their last delivery, or were never sent."""

    def take(self, kind: str, *arguments: Any) -> None:
        """Apply a step."""
        ways: dict[str, Callable[..., object]] = {
            "enter": lambda who: self.inside.add(who),
            "leave": lambda who: self.inside.discard(who),
            "spend": lambda who: self._changed(who, hides=False),
            "hide": lambda who: self._changed(who, hides=True),
            "delete": self._deleted,
            "other puts": lambda who, name: self.on[name].add(who) if who in self.there else None,
            "other takes": lambda who, name: self.on[name].discard(who),
            "declare": self._declared,
            "process": self._processed,
        }
        ways[kind](*arguments)

    def run(self) -> None:
        """Apply a run."""
        if (self.lists, self.filters) != self.declared:
            self.declared, self.due = (self.lists, self.filters), set(NAMES)
        inside = self.inside - (self.hidden if self.filters else set())
        gone = {(who, name) for who, name in self.ours if who not in inside or name not in self.lists}
        for who, name in gone:
            self.on[name].discard(who)
        self.ours -= gone
        self.due |= {who for who, _ in gone}
        for who in inside & self.due:
            self.there.add(who)
            self.ours |= {(who, name) for name in self.lists if who not in self.on[name]}
            for name in self.lists:
                self.on[name].add(who)
        self.due -= inside

    def _deleted(self, who: str) -> None:
        self.there.discard(who)
        for name in LISTS:
            self.on[name].discard(who)

    def _declared(self, lists: set[str]) -> None:
        self.lists = lists

    def _processed(self, filters: bool) -> None:
        self.filters = filters

    def _changed(self, who: str, *, hides: bool) -> None:
        self.due.add(who)
        self.hidden = self.hidden | {who} if hides else self.hidden - {who}


def act(crm: Exchange, numbers: dict[str, int], kind: str, *arguments: Any) -> None:
    """Execute a step."""
    account = crm.box.account
    if kind in ("declare", "process"):
        changed = {"lists": sorted(arguments[0])} if kind == "declare" else {"processors": [HIDDEN] * arguments[0]}
        declared = {"lists": crm.goal.lists, "processors": crm.goal.processors} | changed
        crm.goal = users_goal(segment="keen", remove_from_lists=True, **declared)
        return
    who = arguments[0]
    user = account.find("email", f"{who}@example.com")
    if kind in ("enter", "leave"):
        crm.change(f"update warehouse.profile set keen = {kind == 'enter'} where email = '{who}@example.com'")
    elif kind in ("spend", "hide"):
        numbers[who] += 1
        text = f"{'hidden ' if kind == 'hide' else ''}{numbers[who]}"
        crm.change(f"update warehouse.profile set text_one = '{text}' where email = '{who}@example.com'")
    elif user and kind == "delete":
        account.remove(user)
    elif user and kind == "other puts":
        account.subscribe(user, arguments[1], account.now)
    elif user and kind == "other takes":
        account.unsubscribe(user, arguments[1])


@examples(3)
@given(rounds=st.lists(st.lists(steps, max_size=4), min_size=1, max_size=4))
@example(rounds=[[], [("leave", "ann")], [("enter", "ann")]])
@example(rounds=[[], [("delete", "bob")], [("leave", "bob")], [("enter", "bob")]])
@example(rounds=[[("delete", "ann"), ("declare", {"Blue"}), ("declare", {"Red"})]])
@example(rounds=[[], [("declare", {"Blue"})], [("declare", {"Red", "Blue"}), ("leave", "cat")], [("enter", "cat")]])
@example(rounds=[[("process", True)], [("hide", "ann")], [("spend", "ann")]])
@example(rounds=[[("hide", "ann")], [("process", True)], [("process", False)]])
@example(rounds=[[("process", True), ("hide", "ann")], [("leave", "ann")], [("enter", "ann"), ("process", False)]])
def test_lists_have_the_members_of_the_model(
    rounds: list[list[tuple[Any, ...]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Members equal the model's after entries, exits, filtering, deletions, others' changes and new declarations."""
    plain, numbers = MembershipModel(), dict.fromkeys(NAMES, 0)
    with sailthru() as box:
        goal = users_goal(segment="keen", lists=["Red"], remove_from_lists=True)
        crm = Exchange(tmp_path_factory.mktemp("crm"), goal=goal, box=box)
        crm.hold(person(name) for name in NAMES)
        for each in [[], *rounds]:
            for step in each:
                act(crm, numbers, *step)
                plain.take(*step)
            box.clock.advance(3600)  # foreign memberships are added long before a run, or after it
            crm.run()
            plain.run()
            box.clock.advance(3600)
            assert {name: crm.on(name) for name in LISTS} == by_address(plain.on)
            assert {str(user.email) for user in box.account.users.values()} == addresses(plain.there)


def by_address(on: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the members of each list by address."""
    return {name: addresses(who) for name, who in on.items()}


def addresses(names: set[str]) -> set[str]:
    """Return addresses."""
    return {f"{name}@example.com" for name in names}


def test_a_withdrawn_consent_leaves_the_list(tmp_path: Path) -> None:
    """A withdrawn consent removes the user from the list without sending values; a renewed one adds the user."""
    more = {"zones": {"GDPR": "opt_in"}, "objectives": [{"name": "news", "zones": ["GDPR"]}]}
    profiles = Profiles.model_validate({"properties": PROPERTIES, "segments": [EVERYBODY, KEEN], **more})
    consenting = {"consented_objectives": ["news"], "privacy_legislation": "GDPR"}
    with sailthru() as box:
        goal = users_goal(lists=["Red"], remove_from_lists=True)
        crm = Exchange(tmp_path / "crm", goal=goal, box=box, profiles=profiles, objectives=("news",))
        crm.hold(person(name, **consenting) for name in NAMES)
        crm.run()
        assert crm.on("Red") == addresses(set(NAMES))
        crm.change(
            """update warehouse.profile
            set consented_objectives = [], refused_objectives = ['news'], text_one = 'secret'
            where email = 'ann@example.com'"""
        )
        report = crm.run()
        assert (report.counters.profiles_without_consent, report.profiles_taken_off) == (1, 1)
        assert crm.on("Red") == addresses({"bob", "cat"})
        assert crm.vars("ann@example.com") == {"text_one": "ann"}
        crm.change("update warehouse.profile set consented_objectives = ['news'], refused_objectives = []")
        report = crm.run()
        assert (report.counters.profiles_written, report.profiles_ever_exported) == (1, 3)  # each is counted once
        assert crm.on("Red") == addresses(set(NAMES))
