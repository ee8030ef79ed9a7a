"""Finds pairs of profiles that are the same person by the declared rules. Only reads the warehouse.

A rule is named by its number from 1; 0 stands for decisions by hand, the last number for rules that are no more.
"""

from collections.abc import Iterator

from cdp_sync.model import Profiles
from cdp_sync.model.merge_rule import MOST_HOLDERS, SHORTEST, MergeRule
from cdp_sync.model.profile import literal
from cdp_sync.warehouse import Session, Step, fixed, quote_identifier, quote_literal

SQL = "merging"

BY_HAND = 0

_FEW = 0.05
"""Share of all profiles up to which only the values of those that are looked at are compared."""


def find_evidence(session: Session, profiles: Profiles, *, every: bool = False) -> None:
    """Find the pairs that the profiles of `checked_profile` lead to, and the decisions about them.

    What they share leads to others, and what these share further on: whatever a guard has to look at together. With
    `every`, also those of them are members that share nothing with anybody.
    """
    names = dict.fromkeys(rule.property for rule in profiles.merge_rules)
    listed = ", ".join(map(quote_literal, names)) or "''"
    few = session.value(
        f"select (select count(*) from checked_profile) <= {_FEW} * (select count(*) from warehouse.profile)"
    )
    session.run(_first_steps())
    look = fixed("shared_value", f"{SQL}/shared_value", {"shortest": SHORTEST}, properties=listed)
    if not few:
        every_value = fixed(
            "every_shared_value", f"{SQL}/every_shared_value", {"shortest": SHORTEST}, properties=listed
        )
        session.run((every_value, fixed("every_holder", f"{SQL}/every_holder")))
        look = fixed("shared_value", f"{SQL}/shared_value_of_many")
    while session.value("select exists (from sought_profile)"):
        session.run(
            (
                look,
                fixed("holder", f"{SQL}/holder", {"most": MOST_HOLDERS}),
                fixed("concerned", f"{SQL}/concerned", {"most": MOST_HOLDERS, "every": every}),
                fixed("sought_profile", f"{SQL}/sought_profile"),
                Step("seen_profile", "insert into seen_profile from sought_profile"),
            )
        )
    session.run(_pair_steps(profiles))


def _first_steps() -> tuple[Step, ...]:
    shared = "create or replace temp table shared_value (property text, value text, holders bigint)"
    return (
        Step("shared_value", shared),
        Step("sought_profile", "create or replace temp table sought_profile as from checked_profile"),
        Step("seen_profile", "create or replace temp table seen_profile as from checked_profile"),
        Step("holder", "create or replace temp table holder (property text, value text, profile_id uuid)"),
        Step("concerned", "create or replace temp table concerned (live_id uuid)"),
    )


def _pair_steps(profiles: Profiles) -> Iterator[Step]:
    needed = "".join(f", {quote_identifier(name)}" for name in _needed(profiles))
    yield fixed("member", f"{SQL}/member", needed=needed)
    yield fixed("apart", f"{SQL}/apart")
    rules = tuple(enumerate(profiles.merge_rules, 1))
    pairs = "\nunion all\n".join(_pairs(number, rule, profiles) for number, rule in rules)
    values = {
        _bound(number, place): literal(profiles.by_name[condition.name], condition.equals)
        for number, rule in rules
        for place, condition in enumerate(rule.conditions)
        if not condition.same
    }
    yield Step("pair", f"create or replace temp table pair as\n{pairs or _NO_PAIR}", values)
    words = {"rule": number_of_rule(profiles), "differs": _differs(profiles)}
    yield fixed("standing", f"{SQL}/standing", {"most": MOST_HOLDERS}, **words)


def number_of_rule(profiles: Profiles) -> str:
    """Return the expression for the number of a decision's rule."""
    whens = " ".join(
        f"when {quote_literal(rule.words)} then {number}" for number, rule in enumerate(profiles.merge_rules, 1)
    )
    last = len(profiles.merge_rules) + 1
    known = f"case decision.rule {whens} else {last} end" if whens else str(last)
    return f"case when decision.rule is null then {BY_HAND} else {known} end"


def unique_properties(profiles: Profiles) -> list[str]:
    """Return the columns, quoted, of which different values mean different people."""
    return [quote_identifier(prop.name) for prop in profiles.every if prop.unique]


def _differs(profiles: Profiles) -> str:
    """Return the condition that two members are different people."""
    names = unique_properties(profiles)
    return " or ".join(f"coalesce(older.{name} <> younger.{name}, false)" for name in names) or "false"


def _needed(profiles: Profiles) -> list[str]:
    """Return the properties that rules and guards read."""
    asked = (condition.name for rule in profiles.merge_rules for condition in rule.conditions)
    return list(dict.fromkeys([*asked, *(prop.name for prop in profiles.every if prop.unique)]))


_NO_PAIR = """select null::bigint as left_age, null::bigint as right_age, 0 as rule, null::text as property,
    null::text as value, false as differs, false as apart
where false"""


def _bound(number: int, place: int) -> str:
    """Return the name under which the value of a condition is bound."""
    return f"rule_{number}_{place}"


def _pairs(number: int, rule: MergeRule, profiles: Profiles) -> str:
    conditions = []
    for place, condition in enumerate(rule.conditions):
        name = quote_identifier(condition.name)
        conditions.append(f"older.{name} = younger.{name}")
        if not condition.same:
            conditions.append(f"older.{name} = ${_bound(number, place)}")
    return f"""select older.age as left_age, younger.age as right_age, {number} as rule, property, value,
    {_differs(profiles)} as differs, (older.age, younger.age) in (from apart) as apart
from (select * from holder where property = {quote_literal(rule.property)}) mine
join (select * from holder where property = {quote_literal(rule.property)}) other using (property, value)
join member older on older.profile_id = mine.profile_id
join member younger on younger.profile_id = other.profile_id
where {" and ".join(["older.age < younger.age", *conditions])}"""
