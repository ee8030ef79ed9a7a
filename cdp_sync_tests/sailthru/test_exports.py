"""Segments become users of Sailthru, through Dagster, in a sandbox."""

from typing import Any

import dagster as dg
import pytest

from cdp_sync.sandbox.sailthru.account import User
from cdp_sync_tests.projects import goal
from cdp_sync_tests.sailthru.crm import Crm, user_goal

HEADER = "Email,FirstName,Total,Visits,Interests,Scores,Birthday,Seen,News\n"
ADA = "ada@example.com,Ada,2.5,3,art;sport,1;2,1990-02-01,2021-07-13T15:22:00.1239Z,true\n"
BOB = "bob@example.com,Bob,30,,,,,,\n"
CUSTOMERS = goal(
    format={"multi_value": ";"},
    map=[
        {"field": field, "property": name}
        for field, name in {
            "FirstName": "first_name",
            "Total": "total",
            "Visits": "visits",
            "Interests": "interests",
            "Scores": "scores",
            "Birthday": "birthday",
            "Seen": "last_seen",
            "News": "newsletter",
        }.items()
    ],
)


@pytest.fixture(name="shop")
def shop(crm: Crm) -> Crm:
    """A connection whose customers are profiles."""
    crm.project.connect("shop", CUSTOMERS)
    deliver(crm, ADA, BOB)
    return crm


def deliver(crm: Crm, *rows: str) -> None:
    """Import customers."""
    shop_runs = len(list((crm.project.root / "inbox").iterdir()))
    crm.project.deliver(f"/inbox/customers_{shop_runs}.csv", HEADER + "".join(rows), minutes=shop_runs)
    assert crm.project.run("shop_sync", crm.instance).success


def user(crm: Crm, email: str) -> User | None:
    """Return a user by address."""
    return crm.box.account.find("email", email)


def values(crm: Crm, email: str) -> dict[str, Any]:
    """Return the custom fields of a user."""
    found = user(crm, email)
    assert found
    return found.vars


def counted(values: dict[str, Any], *names: str) -> tuple[Any, ...]:
    """Return the counters of profiles."""
    return tuple(values[f"profiles_{name}"] for name in names)


def test_a_segment_becomes_users(shop: Crm) -> None:
    """New users are created and others changed; a second run sends none."""
    shop.box.account.add_users([{"email": "ada@example.com", "vars": {"plan": "pro"}}])
    shop.declare(exports=(user_goal(),))
    assert counted(shop.metadata(shop.run(), "audience"), "in_segment", "written") == (2, 2)
    assert values(shop, "ada@example.com") == {"plan": "pro", "total": 3}
    assert values(shop, "bob@example.com") == {"total": 30}
    posted = shop.box.calls.count("user", "POST")
    assert counted(shop.metadata(shop.run(), "audience"), "same", "written") == (2, 0)
    assert shop.box.calls.count("user", "POST") == posted


def test_only_profiles_that_changed_are_sent(shop: Crm) -> None:
    """Only the user of a changed profile is sent; no other user is requested."""
    shop.declare(exports=(user_goal(),))
    shop.run()
    posted = shop.box.calls.count("user", "POST")
    deliver(shop, "bob@example.com,Bob,31,,,,,,\n")
    assert counted(shop.metadata(shop.run(), "audience"), "same", "written") == (1, 1)
    assert values(shop, "bob@example.com") == {"total": 31}
    assert shop.box.calls.count("user", "POST") == posted + 1


def test_the_goal_is_four_ops(shop: Crm) -> None:
    """The steps that open the warehouse are in its pool; the one that calls Sailthru is not."""
    shop.declare(exports=(user_goal(),))
    graph = shop.project.load().resolve_assets_def(dg.AssetKey(["crm", "audience"])).node_def
    assert isinstance(graph, dg.GraphDefinition)
    pools = {node.name: node.definition.pool for node in graph.nodes if isinstance(node.definition, dg.OpDefinition)}
    assert pools == dict.fromkeys(("select_segment", "write_users", "record_delivery"), "warehouse") | {
        "deliver_users": None
    }


def test_values_follow_the_rules_of_the_product_page(shop: Crm) -> None:
    """Values are arrays of their type, integers, UNIX seconds, dates, ISO times with milliseconds, or text."""
    shop.project.deliver("/inbox/customers_9.csv", HEADER + ADA, minutes=9)
    fields = {
        "name": {"property": "first_name"},
        "total": {"property": "total"},
        "visits": {"property": "visits"},
        "interests": {"property": "interests"},
        "scores": {"property": "scores"},
        "born": {"property": "birthday"},
        "born_date": {"property": "birthday"},
        "born_time": {"property": "birthday"},
        "seen": {"property": "last_seen"},
        "seen_date": {"property": "last_seen"},
        "seen_time": {"property": "last_seen"},
        "news": {"property": "newsletter"},
        "who": {"profile_id": True},
        "in_segments": {"segments": "all"},
        "source": {"text": "cdp"},
    }
    shop.declare(exports=(user_goal(map=[{"field": name, **source} for name, source in fields.items()]),))
    shop.run()
    ((who,),) = shop.rows("select profile_id::varchar from warehouse.profile where first_name = 'Ada'")
    assert values(shop, "ada@example.com") == {
        "name": "Ada",
        "total": 3,
        "visits": 3,
        "interests": ["art", "sport"],
        "scores": [1, 2],
        "born": "1990-02-01",
        "born_date": "1990-02-01",
        "born_time": 633830400,
        "seen": "2021-07-13T15:22:00.123Z",
        "seen_date": "2021-07-13",
        "seen_time": 1626189720,
        "news": "true",
        "who": who,
        "in_segments": ["spenders"],
        "source": "cdp",
    }
    assert values(shop, "bob@example.com")["visits"] is None


def test_decimals_can_be_numbers(shop: Crm) -> None:
    """The page's rule loses cents; `decimals: number` does not."""
    shop.declare(exports=(user_goal(decimals="number"),))
    shop.run()
    assert values(shop, "ada@example.com") == {"total": 2.5}


def test_without_create_users_no_user_is_created(shop: Crm) -> None:
    """Without `create_users` only existing users get values.

    The others are unmatched, and looked up again in the next run.
    """
    shop.box.account.add_users([{"email": "ada@example.com"}])
    shop.declare(exports=(user_goal(create_users=False),))
    assert counted(shop.metadata(shop.run(), "audience"), "written", "unmatched") == (1, 1)
    assert values(shop, "ada@example.com") == {"total": 3}
    assert user(shop, "bob@example.com") is None
    shop.box.account.add_users([{"email": "bob@example.com"}])
    assert counted(shop.metadata(shop.run(), "audience"), "same", "written", "unmatched") == (1, 1, 0)
    assert values(shop, "bob@example.com") == {"total": 30}


def test_profiles_without_the_identifier_are_not_exported(shop: Crm) -> None:
    """Profiles without the identifier are counted; a second link covers those that have it."""
    by_sid = [{"field": "sid", "property": "sailthru_profile_id"}]
    shop.declare(exports=(user_goal(link=by_sid),))
    assert counted(shop.metadata(shop.run(), "audience"), "without_identifier", "written") == (2, 0)
    by_both = [*by_sid, {"field": "email", "property": "email"}]
    shop.declare(exports=(user_goal(link=by_both),))
    assert counted(shop.metadata(shop.run(), "audience"), "without_identifier", "written") == (0, 2)


def test_users_are_added_to_lists_and_removed(shop: Crm) -> None:
    """A user who leaves the segment leaves the list, unless the goal did not add that user."""
    shop.box.account.add_users([{"email": "ada@example.com", "lists": {"VIP": 1_600_000_000}}])
    shop.declare(exports=(user_goal(lists=["VIP", "Big"], remove_from_lists=True),))
    shop.run()
    members = {name: sorted(each.email or "" for each in found.members.values()) for name, found in lists(shop)}
    assert members == {"VIP": ["ada@example.com", "bob@example.com"], "Big": ["ada@example.com", "bob@example.com"]}
    deliver(shop, "ada@example.com,Ada,1,,,,,,\n", "bob@example.com,Bob,1,,,,,,\n")
    result = shop.run()
    assert "2 taken off lists." in shop.metadata(result, "audience")["summary"]
    members = {name: sorted(each.email or "" for each in found.members.values()) for name, found in lists(shop)}
    assert members == {"VIP": ["ada@example.com"], "Big": []}
    assert shop.rows("select count(*) from warehouse.list_member") == [(0,)]
    deliver(shop, BOB)  # with the same values as before
    shop.run()
    assert [each.email for each in dict(lists(shop))["Big"].members.values()] == ["bob@example.com"]


def lists(crm: Crm) -> list[tuple[str, Any]]:
    """Return all lists with their names."""
    return list(crm.box.account.lists.items())


def test_a_deleted_user_is_not_created_by_a_removal(shop: Crm) -> None:
    """A user who was deleted at Sailthru is not created again by a removal from a list."""
    shop.declare(exports=(user_goal(lists=["Big"], remove_from_lists=True),))
    shop.run()
    gone = user(shop, "bob@example.com")
    assert gone
    shop.box.account.remove(gone)
    deliver(shop, "bob@example.com,Bob,1,,,,,,\n")
    shop.run()
    assert user(shop, "bob@example.com") is None
    assert shop.rows("select list, count(*) from warehouse.list_member group by list") == [("Big", 1)]


def test_a_refused_user_is_quarantined_and_sent_again(shop: Crm) -> None:
    """A refused user is quarantined by profile id and reason, without address; the others are delivered."""
    shop.box.fail("user", "POST", status=400)
    shop.declare(exports=(user_goal(),))
    values = shop.metadata(shop.run(), "audience")
    assert counted(values, "written", "not_deliverable") == (1, 1)
    ((who, reason),) = shop.rows("select raw, reason from warehouse.quarantine where goal = 'audience'")
    assert shop.rows(f"select count(*) from warehouse.profile where profile_id = '{who}'") == [(1,)]
    assert "Sailthru refuses the call" in reason
    assert "@example.com" not in reason
    assert counted(shop.metadata(shop.run(), "audience"), "same", "written", "not_deliverable") == (1, 1, 0)


def test_transient_faults_are_retried(shop: Crm) -> None:
    """After server errors and dropped connections a retry delivers each user exactly once."""
    shop.box.fail("user", "POST", status=500)
    shop.box.fail("user", "POST", cut=True)
    shop.declare(exports=(user_goal(),))
    assert counted(shop.metadata(shop.run(), "audience"), "written", "not_deliverable") == (2, 0)


def test_many_users_are_sent_as_one_file(shop: Crm) -> None:
    """The list verifies a bulk file: users that Sailthru silently left out are sent individually."""
    shop.box.silent_drops = {"bob@example.com"}
    shop.declare(exports=(user_goal(lists=["Big"], bulk_from=2, remove_from_lists=True),))
    assert counted(shop.metadata(shop.run(), "audience"), "written", "not_deliverable") == (2, 0)
    assert values(shop, "ada@example.com") == {"total": 3}
    assert values(shop, "bob@example.com") == {"total": 30}
    assert (shop.box.calls.count("job", "POST"), shop.box.calls.count("user", "POST")) == (2, 1)
    deliver(shop, "ada@example.com,Ada,1,,,,,,\n")
    shop.run()
    assert [each.email for each in dict(lists(shop))["Big"].members.values()] == ["bob@example.com"]


def test_a_large_file_is_sent_in_parts(shop: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is too large is sent in parts, one job after another, each once."""
    from cdp_sync.connectors.sailthru import client

    monkeypatch.setattr(client, "LARGEST_UPDATE", 1)
    shop.declare(exports=(user_goal(lists=["Big"], bulk_from=2),))
    assert counted(shop.metadata(shop.run(), "audience"), "written") == (2,)
    assert values(shop, "bob@example.com") == {"total": 30}
    assert [job.kind for job in shop.box.jobs.by_id.values()] == ["update", "update", "export_list_data"]
    assert shop.box.calls.count("user", "POST") == 0


def test_a_user_on_the_list_is_verified_by_values(shop: Crm) -> None:
    """A user who was on the list before the file is verified by values, not by membership."""
    shop.box.account.add_users([{"email": "bob@example.com", "lists": ["Big"], "vars": {"total": 5}}])
    shop.box.silent_drops = {"bob@example.com"}
    shop.declare(exports=(user_goal(lists=["Big"], bulk_from=2),))
    shop.run()
    assert values(shop, "bob@example.com") == {"total": 30}


def test_whole_decimals_are_verified(shop: Crm) -> None:
    """A list has 3 for a sent 3.0000, and several values separated by commas; both are verified."""
    columns = [{"field": name, "property": name} for name in ("total", "interests", "newsletter", "birthday")]
    shop.declare(exports=(user_goal(lists=["Big"], bulk_from=1, decimals="number", map=columns),))
    shop.run()
    assert (shop.box.calls.count("job", "POST"), shop.box.calls.count("user", "POST")) == (2, 0)


def test_a_bulk_job_that_fails_falls_back(shop: Crm) -> None:
    """After a failed bulk job all users are sent individually."""
    shop.box.jobs_fail = {"update"}
    shop.declare(exports=(user_goal(lists=["Big"], bulk_from=1),))
    assert counted(shop.metadata(shop.run(), "audience"), "written") == (2,)
    assert shop.box.calls.count("user", "POST") == 2


def test_a_file_without_effect_falls_back(shop: Crm) -> None:
    """When the file's list does not exist, all users are sent individually."""
    shop.box.silent_drops = {"ada@example.com", "bob@example.com"}
    shop.declare(exports=(user_goal(lists=["Big"], bulk_from=1),))
    assert counted(shop.metadata(shop.run(), "audience"), "written") == (2,)
    assert shop.box.calls.count("user", "POST") == 2


def test_a_file_without_a_list_is_never_sent(shop: Crm) -> None:
    """Without a list a file cannot be verified, and is not sent."""
    shop.declare(exports=(user_goal(bulk_from=1),))
    shop.run()
    assert shop.box.calls.count("job", "POST") == 0


def test_consent_is_required(crm: Crm) -> None:
    """A connection with an objective sends only users with consent."""
    crm.describe(zones={"GDPR": "opt_in"}, objectives=[{"name": "news", "zones": ["GDPR"]}])
    consenting = {"field": "Consent", "property": "consented_objectives"}
    zone = {"field": "Zone", "property": "privacy_legislation"}
    crm.project.connect("shop", goal(map=[{"field": "Total", "property": "total"}, consenting, zone]))
    crm.project.deliver(
        "/inbox/customers_1.csv", "Email,Total,Consent,Zone\nada@example.com,5,news,GDPR\nbob@example.com,5,,GDPR\n"
    )
    assert crm.project.run("shop_sync", crm.instance).success
    crm.declare(exports=(user_goal(),), objectives=["news"])
    assert counted(crm.metadata(crm.run(), "audience"), "without_consent", "written") == (1, 1)
    assert [each.email for each in crm.box.account.users.values()] == ["ada@example.com"]


def test_no_address_reaches_dagster(shop: Crm) -> None:
    """Logs and metadata have profile ids, no addresses."""
    shop.box.fail("user", "POST", status=400)
    shop.declare(exports=(user_goal(),))
    result = shop.run()
    logs = "".join(str(record) for record in shop.instance.all_logs(result.run_id))
    assert "deliver_users" in logs
    assert "@example.com" not in logs
