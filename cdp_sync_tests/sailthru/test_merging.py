"""A merge rule over Sailthru's id, which imports fill, makes the profiles of one user one."""

from typing import Any

from cdp_sync_tests.sailthru.crm import Crm, list_goal, user_goal

BY_EMAIL = [{"field": "email", "property": "email"}]
OLD, NEW = "ann@example.com", "ann@example.org"

LIVE = "select email, first_name, sailthru_profile_id from warehouse.live_profile order by email"
DECISIONS = "select rule, property, value from warehouse.decision where kind = 'merge' and revoked_at is null"
NAMES = "select value from warehouse.linking_identifier where property = 'email' order by value"


def moved(crm: Crm, *exports: dict[str, Any], **rules: Any) -> dict[str, Any]:
    """Import a user by address, give the user another one at Sailthru, and import the list again.

    Returns:
        The metadata of the second import.
    """
    crm.describe(**rules)
    crm.box.account.add_users([{"email": OLD, "vars": {"first_name": "Ann", "total": 60}, "lists": ["Main"]}])
    mapped = [{"field": "total", "property": "total"}, {"field": "first_name", "property": "first_name"}]
    crm.declare(list_goal(link=BY_EMAIL, map=mapped), exports=exports)
    crm.run()
    user = crm.box.account.find("email", OLD)
    assert user
    crm.box.account.set_keys(user, {"email": NEW})
    return crm.metadata(crm.run(), "members")


def sid(crm: Crm) -> str:
    """Return the id of the only user."""
    (only,) = crm.box.account.users
    return only


def test_a_new_address_makes_two_profiles_with_one_sid(crm: Crm) -> None:
    """Without a rule, a goal that links by address makes a second profile of a user whose address changed."""
    values = moved(crm)
    assert values["profiles_created"] == 1
    assert crm.rows(LIVE) == [(OLD, "Ann", sid(crm)), (NEW, "Ann", sid(crm))]


def test_a_rule_on_the_sid_merges_them(crm: Crm) -> None:
    """A rule on `sailthru_profile_id` merges both in the import that brings the second one, with the id as evidence."""
    values = moved(crm, merge_rules=[{"property": "sailthru_profile_id"}])
    assert (values["profiles_created"], values["profiles_merged"]) == (1, 1)
    assert crm.rows(LIVE) == [(NEW, "Ann", sid(crm))]
    assert crm.rows(DECISIONS) == [("sailthru_profile_id", "sailthru_profile_id", sid(crm))]
    assert crm.rows(NAMES) == [(OLD,), (NEW,)]


def test_the_merged_profile_is_exported_once(crm: Crm) -> None:
    """The export by Sailthru's id sends one profile for the user, where two would have named the same user."""
    by_sid = user_goal(link=[{"field": "sid", "property": "sailthru_profile_id"}], lists=["Spenders"])
    moved(crm, by_sid, merge_rules=[{"property": "sailthru_profile_id"}])
    (user,) = crm.box.account.users.values()
    assert (user.email, sorted(user.lists)) == (NEW, ["Main", "Spenders"])
    assert crm.metadata(crm.run(), "audience")["profiles_in_segment"] == 1
