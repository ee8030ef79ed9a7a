"""Finds pairs of profiles that are the same person by the declared rules. Only reads the warehouse.

=====================  =========================================================================
``checked_profile``    the profiles to look at, by their own ids; the caller makes it
``shared_value``       values of the rules' properties that these share with others
``holder``             who has such a value, unless too many do
``member``             all parts of the live profiles that may be concerned, the oldest first: `age`
``pair``               two members that a rule connects; `differs` and `apart` say what stops it
``standing``           decisions to merge that hold between members
=====================  =========================================================================

A rule is named by its number from 1; 0 stands for decisions by hand, the last number for rules that are no more.
"""

from collections.abc import Iterator

from cdp_sync.model import Profiles
from cdp_sync.model.merge_rule import MOST_HOLDERS, SHORTEST, MergeRule
from cdp_sync.model.profile import literal
from cdp_sync.warehouse import Step, fixed, quote_identifier, quote_literal

SQL = "merging"

BY_HAND = 0


def evidence_steps(profiles: Profiles, *, every: bool = False) -> Iterator[Step]:
    """Yield the steps that find pairs among the profiles of `checked_profile`, and the decisions about them.

    With `every`, also those of them are members that share nothing with anybody.
    """
    names = ", ".join(quote_literal(name) for name in dict.fromkeys(rule.property for rule in profiles.merge_rules))
    yield fixed("shared_value", f"{SQL}/shared_value", {"shortest": SHORTEST}, properties=names or "''")
    yield fixed("holder", f"{SQL}/holder", {"most": MOST_HOLDERS})
    needed = "".join(f", {quote_identifier(name)}" for name in _needed(profiles))
    yield fixed("member", f"{SQL}/member", {"most": MOST_HOLDERS, "every": every}, needed=needed)
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
    yield fixed("standing", f"{SQL}/standing", {"most": MOST_HOLDERS}, rule=number_of_rule(profiles))


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
    differs = " or ".join(f"coalesce(older.{name} <> younger.{name}, false)" for name in unique_properties(profiles))
    return f"""select older.age as left_age, younger.age as right_age, {number} as rule, property, value,
    {differs or "false"} as differs, (older.age, younger.age) in (from apart) as apart
from (select * from holder where property = {quote_literal(rule.property)}) mine
join (select * from holder where property = {quote_literal(rule.property)}) other using (property, value)
join member older on older.profile_id = mine.profile_id
join member younger on younger.profile_id = other.profile_id
where {" and ".join(["older.age < younger.age", *conditions])}"""
