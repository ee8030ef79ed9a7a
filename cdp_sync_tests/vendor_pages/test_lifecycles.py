"""What the pages say of lifecycles: goals as touchpoints, stages, thresholds, and the fields that came with them."""

from typing import Any

import pytest

from cdp_sync.lifecycles import keep_stages
from cdp_sync.model import Lifecycle
from cdp_sync_tests.vendor_pages.account import Account

WELCOME = Lifecycle.model_validate(
    {
        "name": "welcome",
        "enter": {"property": "email", "has_value": True},
        "stages": [
            {"name": "fresh", "when": {"property": "keen", "equals": False}},
            {"name": "buyer", "when": {"property": "keen", "equals": True}},
        ],
    }
)
EVENTS = ("email_opened", "email_link_clicked")
PEOPLE = "email,text_one,keen\nann@example.com,x,false\nbob@example.com,x,{}\n"


@pytest.fixture(name="crm")
def _crm(account: Account) -> Account:
    """An account beside a warehouse of two people, who are in the first stage of a lifecycle."""
    account.declare(event_types=list(EVENTS))
    account.exchange.profiles = account.exchange.profiles.with_lifecycles([WELCOME])
    account.hold(PEOPLE.format("false"))
    keep(account)
    return account


def keep(account: Account) -> None:
    """Keep the stages, as a run of the connection does before its exports."""
    with account.exchange.warehouse.open("write") as session:
        keep_stages(session, account.exchange.profiles, WELCOME, account.now, run_id="stages")


def in_lifecycle(*stages: str, **more: Any) -> dict[str, Any]:
    """Return what a goal declares of the lifecycle; it exports everybody every time."""
    return {"lifecycle": {"name": "welcome", **({"stages": stages} if stages else {}), **more}, "changes": "all"}


def outcome(account: Account, **declared: Any) -> tuple[int, int]:
    """Export, and return how many were written, and how many were at their cap."""
    counters = account.send(**declared).counters
    return counters.profiles_written, counters.profiles_capped


def test_an_export_goal_is_a_touchpoint_of_a_lifecycle(crm: Account) -> None:
    """Each exported profile has a touch, with the stage that it is in and the goal that reached it."""
    crm.send(name="greeting", **in_lifecycle(counts="export"))
    found = crm.rows("select lifecycle, stage, connection, goal, kind from warehouse.touchpoint")
    assert found == [("welcome", "fresh", "crm", "greeting", "export")] * 2


def test_profiles_that_reach_a_stage_are_sent_for_targeted_mail(crm: Account) -> None:
    """Who reaches the stage is put on the list of its goal, and who leaves it is taken off."""
    buyers = {"lists": ["Buyers"], "remove_from_lists": True, **in_lifecycle("buyer")}
    assert outcome(crm, **buyers) == (0, 0)
    crm.hold(PEOPLE.format("true"))
    keep(crm)
    assert outcome(crm, **buyers) == (1, 0)
    assert crm.on("Buyers") == {"bob"}
    crm.hold(PEOPLE.format("false"))
    keep(crm)
    crm.send(**buyers)
    assert crm.on("Buyers") == set()


def test_only_profiles_that_are_in_the_stage_now_are_exported(crm: Account) -> None:
    """A goal that is restricted to a stage exports its profiles, and counts those in other stages."""
    crm.hold(PEOPLE.format("true"))
    keep(crm)
    counters = crm.send(**in_lifecycle("fresh")).counters
    assert (counters.profiles_written, counters.profiles_outside_lifecycle) == (1, 1)
    assert crm.users().keys() == {"ann"}


@pytest.mark.parametrize(("per", "days"), [("week", 7), ("month", 30), ("quarter", 90)])
def test_a_customer_gets_only_so_many_touches_in_a_stage(per: str, days: int, crm: Account) -> None:
    """Of four exports in a week, month or quarter three reach the people; when the first is over, another one does."""
    limited = in_lifecycle("fresh", threshold={"times": 3, "per": per}, counts="export")
    found = []
    for _ in range(4):
        found.append(outcome(crm, **limited))
        crm.pass_days(1)
    assert found == [(2, 0)] * 3 + [(0, 2)]
    crm.pass_days(days - 4)
    assert outcome(crm, **limited) == (2, 0)


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_counts_toward_the_threshold_of_the_stage(kind: str, crm: Account) -> None:
    """Who has opened an e-mail, or clicked a link in it, as the goal declares, is at the cap; an export is no touch."""
    limited = in_lifecycle("fresh", threshold={"times": 1, "per": "week"}, counts=kind)
    assert [outcome(crm, **limited), outcome(crm, **limited)] == [(2, 0)] * 2
    other = next(each for each in EVENTS if each != kind)
    crm.happen(other, "ann", "bob")
    assert outcome(crm, **limited) == (2, 0)
    crm.happen(kind, "ann")
    crm.pass_days(0.1)
    assert outcome(crm, **limited) == (1, 1)


@pytest.mark.parametrize(("counts", "second"), [({"counts": "export"}, (0, 2)), ({}, (2, 0))])
def test_an_export_is_one_touch_where_that_is_declared(
    counts: dict[str, str], second: tuple[int, int], crm: Account
) -> None:
    """With `counts: export` an export counts as one toward the threshold; without it exports do not count."""
    limited = in_lifecycle("fresh", threshold={"times": 1, "per": "day"}, **counts)
    assert [outcome(crm, **limited), outcome(crm, **limited)] == [(2, 0), second]


def test_a_field_holds_lifecycles_viewed_interactions_or_the_permission_level(account: Account) -> None:
    """All lifecycles of the profile, what it has ever seen, and its level; who permits less leaves no address."""
    seen = {"name": "dialogue_seen", "properties": [{"name": "dialogue"}]}
    properties = account.exchange.profiles.model_dump(exclude_defaults=True)["properties"]
    account.declare(
        properties=[*properties, {"name": "permission_level", "type": "number"}],
        event_types=[*EVENTS, seen],
        interactions={"event": "dialogue_seen", "property": "dialogue"},
    )
    other = WELCOME.model_copy(update={"name": "loyal", "enter": WELCOME.stages[1].when})
    account.exchange.profiles = account.exchange.profiles.with_lifecycles([WELCOME, other])
    account.hold("email,text_one,keen,permission_level\nann@example.com,x,false,\nbob@example.com,x,true,1\n")
    keep(account)
    account.show("ann", "2001-01-01", "poll")
    account.show("ann", "2026-01-01", "banner")
    columns = [
        {"field": "plan", "property": "text_one"},
        {"field": "stages", "lifecycles": "all"},
        {"field": "seen", "viewed_interactions": True},
        {"field": "level", "permission_level": True},
    ]
    assert account.send(map=columns).counters.profiles_without_consent == 1
    assert account.users() == {
        "ann": {"plan": "x", "stages": ["welcome: fresh"], "seen": ["banner", "poll"], "level": 2}
    }
