"""Lists of Sailthru become profiles, through Dagster, from a sandbox."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from cdp_sync.errors import DeclarationError
from cdp_sync.orchestration.project import load_connection
from cdp_sync_tests.projects import goal
from cdp_sync_tests.sailthru.crm import PROPERTIES, Crm, list_goal

BY_EMAIL = [{"field": "email", "property": "email"}]


def person(name: str, **fields: Any) -> dict[str, Any]:
    """Return a user on the list Main."""
    return {"email": f"{name.lower()}@example.com", "vars": {"first_name": name}, "lists": ["Main"]} | fields


ANN, BOB = person("Ann"), person("Bob")


def requested(crm: Crm) -> int:
    """Return the number of requested users."""
    return crm.box.calls.count("user", "GET")


def people(crm: Crm, *columns: str) -> list[tuple[Any, ...]]:
    """Return these columns of all profiles, in order."""
    return sorted(crm.rows(f"select {', '.join(columns)} from warehouse.profile"))


def test_a_list_becomes_profiles(crm: Crm) -> None:
    """Each list member becomes a profile with its custom fields and Sailthru's id."""
    crm.box.account.add_users([ANN, BOB])
    crm.declare(list_goal())
    values = crm.metadata(crm.run(), "members")
    sids = {user.email: sid for sid, user in crm.box.account.users.items()}
    assert people(crm, "first_name", "sailthru_profile_id") == [
        ("Ann", sids["ann@example.com"]),
        ("Bob", sids["bob@example.com"]),
    ]
    assert (values["rows_read"], values["rows_applied"], values["profiles_created"]) == (2, 2, 2)
    assert requested(crm) == 0


def test_the_goal_is_three_ops_by_the_names_of_the_contract(crm: Crm) -> None:
    """A platform's goal has `fetch_profiles` in place of scan and parse, without a pool."""
    crm.declare(list_goal())
    graph = crm.project.load().resolve_assets_def(dg.AssetKey(["crm", "members"])).node_def
    assert isinstance(graph, dg.GraphDefinition)
    pools = {node.name: node.definition.pool for node in graph.nodes if isinstance(node.definition, dg.OpDefinition)}
    assert pools == {"fetch_profiles": None, "link_identifiers": "warehouse", "upsert_profiles": "warehouse"}


def test_a_long_list_is_read_whole(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list whose export is longer than a slice of JSON lines has one header, and all of its rows land."""
    monkeypatch.setattr("cdp_sync.importing.reading.slices.SLICE", 100)
    crm.box.account.add_users([person(f"Ann{number}") for number in range(20)])
    crm.declare(list_goal())
    values = crm.metadata(crm.run(), "members")
    assert (values["rows_read"], values["rows_applied"], values["profiles_created"]) == (20, 20, 20)


def test_an_unchanged_list_is_not_read_again(crm: Crm) -> None:
    """An unchanged list is not read again, and unchanged rows of a changed list are not applied again."""
    crm.box.account.add_users([ANN, BOB])
    crm.declare(list_goal())
    crm.run()
    assert crm.metadata(crm.run(), "members")["rows_read"] == 0
    crm.box.account.add_users([person("Cat")])
    values = crm.metadata(crm.run(), "members")
    assert (values["rows_read"], values["rows_applied"], values["rows_unchanged"]) == (3, 1, 2)


def test_addresses_of_hashes_are_requested(crm: Crm) -> None:
    """A list with hashed addresses requests the address of each new user, once."""
    crm.box.account.add_users([ANN, BOB])
    crm.declare(list_goal(link=BY_EMAIL))
    crm.run()
    assert people(crm, "email", "first_name") == [("ann@example.com", "Ann"), ("bob@example.com", "Bob")]
    assert requested(crm) == 2
    crm.box.account.add_users([person("Cat")])
    crm.run()
    assert [row[0] for row in people(crm, "email")] == ["ann@example.com", "bob@example.com", "cat@example.com"]
    assert requested(crm) == 3


def test_a_known_address_is_not_requested(crm: Crm) -> None:
    """A hash that matches a profile's address needs no request, even if the list's row has changed."""
    crm.project.connect("shop", goal())
    crm.project.deliver("/inbox/customers_1.csv", "Email,FirstName,Total\nann@example.com,A.,1\n")
    crm.project.run("shop_sync", crm.instance)
    crm.box.account.add_users([ANN, BOB])
    crm.declare(list_goal(link=BY_EMAIL))
    crm.run()
    assert people(crm, "email", "first_name") == [("ann@example.com", "Ann"), ("bob@example.com", "Bob")]
    assert requested(crm) == 1
    crm.change("bob@example.com", first_name="Bobby")
    crm.run()
    assert people(crm, "first_name") == [("Ann",), ("Bobby",)]
    assert requested(crm) == 1


def test_a_list_with_clear_addresses_requests_no_user(crm: Crm) -> None:
    """A list with clear addresses requests no user."""
    crm.box.clear_emails = True
    crm.box.account.add_users([ANN, BOB])
    crm.declare(list_goal(link=BY_EMAIL))
    crm.run()
    assert people(crm, "email") == [("ann@example.com",), ("bob@example.com",)]
    assert requested(crm) == 0


def test_users_are_linked_by_extid(crm: Crm) -> None:
    """Users are linked by extid, which is requested as lists do not hold it; a user without one is unmatched."""
    crm.box.account.add_users([person("Ann", extid="A-1"), BOB])
    crm.declare(list_goal(link=[{"field": "extid", "property": "number"}]))
    values = crm.metadata(crm.run(), "members")
    assert people(crm, "number", "first_name") == [("A-1", "Ann")]
    assert values["rows_without_identifier"] == 1


def test_users_are_linked_by_a_custom_field(crm: Crm) -> None:
    """Users are linked by a custom field."""
    crm.box.account.add_users([person("Ann", vars={"first_name": "Ann", "client": "C-7"})])
    crm.declare(list_goal(link=[{"field": "client", "property": "number"}]))
    crm.run()
    assert people(crm, "number", "first_name") == [("C-7", "Ann")]


def test_an_identifier_can_be_mapped(crm: Crm) -> None:
    """An identifier can be mapped to a property while another field links."""
    crm.box.account.add_users([ANN])
    crm.declare(list_goal(map=[{"field": "email", "property": "email", "mode": "set_if_empty"}]))
    crm.run()
    assert people(crm, "email", "first_name") == [("ann@example.com", None)]


def test_no_profile_is_created_where_not_allowed(crm: Crm) -> None:
    """Without permission to create profiles, a user without a match is unmatched."""
    crm.box.account.add_users([ANN, BOB])
    crm.declare(list_goal(allow_new_profiles=False))
    values = crm.metadata(crm.run(), "members")
    assert (values["rows_unmatched"], values["profiles_created"]) == (2, 0)


def test_smart_lists_are_imported(crm: Crm) -> None:
    """The members of a smart list are imported."""
    crm.box.account.add_users([person("Ann", vars={"first_name": "Ann", "plan": "pro"}), BOB])
    query = {"source_list": "Main", "query_mode": "and", "criteria": ["match"], "field": ["plan"], "value": ["pro"]}
    crm.box.account.add_list("Pros", type="smart", query=query)
    crm.declare(list_goal(lists=["Pros"]))
    crm.run()
    assert people(crm, "first_name") == [("Ann",)]


def test_the_names_of_lists_are_collected(crm: Crm) -> None:
    """A property with `multiple` collects the name of each list."""
    crm.box.account.add_users([person("Ann", lists=["Main", "VIP"]), BOB])
    crm.declare(list_goal(lists=["Main", "VIP"], list_name_property="on_lists"))
    crm.run()
    assert people(crm, "first_name", "on_lists") == [("Ann", ["Main", "VIP"]), ("Bob", ["Main"])]


def test_a_property_of_one_value_holds_the_last_list(crm: Crm) -> None:
    """A single-valued property has the name of the last list."""
    crm.box.account.add_users([person("Ann", lists=["Main", "VIP"])])
    crm.declare(list_goal(lists=["Main", "VIP"], list_name_property="number"))
    crm.run()
    assert people(crm, "number") == [("VIP",)]


def test_a_list_may_have_the_name_of_an_archive(crm: Crm) -> None:
    """A list may have the name of an archive: only files are unpacked."""
    crm.box.account.add_users([person("Ann", lists=["Winners.zip"])])
    crm.declare(list_goal(lists=["Winners.zip", "Winners.zip"]))
    assert crm.metadata(crm.run(), "members")["rows_applied"] == 1


def test_an_unknown_list_fails_alone(crm: Crm) -> None:
    """An unknown list fails the run and is named; the other lists are imported."""
    crm.box.account.add_users([ANN])
    crm.declare(list_goal(lists=["Mian", "Main"]))
    (failed,) = [event for event in crm.run(fails=True).all_events if event.is_step_failure]
    assert "Mian failed: There is no list of that name." in str(failed.step_failure_data.error)
    assert people(crm, "first_name") == [("Ann",)]


def test_times_are_those_of_the_account(crm: Crm) -> None:
    """Local times without a zone are read in the account's time zone."""
    sid = "554bb7153b35d0732c8c0e8a"  # created at 2015-05-07T19:03:49Z, by its first digits
    crm.box.account.add_users([person("Ann", sid=sid)])
    crm.declare(list_goal(map=[{"field": "Profile Created Date", "property": "last_seen"}]))
    crm.run()
    assert people(crm, "last_seen") == [(datetime(2015, 5, 7, 19, 3, 49, tzinfo=UTC),)]


def test_a_custom_field_may_have_the_name_of_a_column(crm: Crm) -> None:
    """Of two columns with one name the first is Sailthru's own, the second the custom field."""
    crm.box.account.add_users([person("Ann", vars={"Domain": "castle", "email": "old@example.com"})])
    mapped = [{"field": "Domain", "property": "first_name"}, {"field": "Domain (custom field)", "property": "number"}]
    crm.declare(list_goal(map=mapped, link=BY_EMAIL))
    crm.run()
    assert people(crm, "email", "first_name", "number") == [("ann@example.com", "example.com", "castle")]


def test_values_are_converted(crm: Crm) -> None:
    """Text is converted to the property's type; several values are separated by commas."""
    vars_there = {"total": 12, "visits": 3, "interests": ["art", "sport"], "birthday": "1990-02-01", "newsletter": True}
    crm.box.account.add_users([person("Ann", vars=vars_there)])
    crm.declare(list_goal(map=[{"field": name, "property": name} for name in vars_there]))
    crm.run()
    ((total, *rest),) = people(crm, *vars_there)
    assert (float(total), *map(str, rest)) == (12.0, "3", "['art', 'sport']", "1990-02-01", "True")


def test_a_sum_is_added_once(crm: Crm) -> None:
    """An amount is added once, also when the list is imported again under another declaration."""
    crm.box.account.add_users([person("Ann", vars={"visits": 5})])
    adding = [{"field": "visits", "property": "visits", "mode": "sum"}]
    crm.declare(list_goal(map=adding))
    crm.run()
    crm.declare(list_goal(map=[*adding, {"field": "Domain", "property": "first_name"}]))
    crm.run()
    assert people(crm, "visits", "first_name") == [(5, "example.com")]


def test_an_export_that_fails_is_started_once_more(crm: Crm) -> None:
    """A failed export job is started once more; a dropped connection is retried."""
    crm.box.account.add_users([ANN])
    crm.declare(list_goal())
    crm.box.fail("export", "GET", cut=True)
    crm.box.fail("export", "GET", status=404)
    crm.run()
    assert people(crm, "first_name") == [("Ann",)]
    assert crm.box.calls.count("job", "POST") == 2


@pytest.mark.parametrize("trouble", ["jobs_fail", "export_lifetime"])
def test_an_export_without_a_result_fails_its_list(crm: Crm, trouble: str) -> None:
    """A list fails after two attempts when its job fails or its result is gone."""
    crm.box.account.add_users([ANN])
    crm.declare(list_goal())
    setattr(crm.box, trouble, {"jobs_fail": True, "export_lifetime": 0.0}[trouble])
    (failed,) = [event for event in crm.run(fails=True).all_events if event.is_step_failure]
    assert "Main failed: " in str(failed.step_failure_data.error)
    assert people(crm, "first_name") == []
    assert crm.box.calls.count("job", "POST") == 2
    setattr(crm.box, trouble, {"jobs_fail": False, "export_lifetime": 7200.0}[trouble])
    crm.run()
    assert people(crm, "first_name") == [("Ann",)]


def test_a_wrong_secret_is_reported_once(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret is reported with the remedy, without a retry, and is in no event of the run."""
    monkeypatch.setenv("CRM_SECRET", "wrong-secret-11")
    crm.declare(list_goal())
    events = crm.run(fails=True).all_events
    (failed,) = [event for event in events if event.is_step_failure]
    assert "the signature is wrong" in str(failed.step_failure_data.error)
    assert crm.box.calls.count("list", "GET") == 1
    assert "wrong-secret-11" not in str(events)


def test_a_forbidden_endpoint_is_named(crm: Crm) -> None:
    """A key that may read lists but start no job fails with the endpoint's name."""
    crm.box.account.add_users([ANN])
    crm.box.permit("list", "user")
    crm.declare(list_goal())
    (failed,) = [event for event in crm.run(fails=True).all_events if event.is_step_failure]
    assert "must not use the endpoint job" in str(failed.step_failure_data.error)


def test_no_address_reaches_dagster(crm: Crm) -> None:
    """Metadata, logs and run config have profile ids, no addresses."""
    crm.box.account.add_users([ANN, person("Bad", email="bad@example.com", extid="x")])
    crm.declare(list_goal(link=BY_EMAIL))
    result = crm.run()
    logs = "".join(str(record) for record in crm.instance.all_logs(result.run_id))
    assert "fetch_profiles" in logs
    assert "@example.com" not in logs


def test_a_list_goal_needs_the_property_for_sailthrus_id(crm: Crm) -> None:
    """A profile model without a property for Sailthru's id is an error at load time, with the remedy."""
    others = [dict(each) for each in PROPERTIES if each["name"] != "sailthru_profile_id"]
    crm.describe(properties=others)
    crm.declare(list_goal(link=BY_EMAIL))
    definitions = crm.project.load()
    assert not any(job.name == "crm_sync" for job in definitions.resolve_all_job_defs())
    with pytest.raises(DeclarationError, match="sailthru_profile_id, type: text, identifier: true"):
        load_connection("crm")


def test_columns_of_purchases_become_events(crm: Crm) -> None:
    """The last purchase of a user is an event with what a list's export says of purchases: once, however often read."""
    visit = {"first_purchase_time": 1_700_000_000, "last_purchase_time": 1_750_000_000}
    spent = {"purchase_count": 2, "purchase_price": 1999, "largest_purchase_item_price": 1500}
    crm.box.account.add_users([person("Ann", activity=visit, lifetime=spent), BOB])
    totals = [{"name": "purchases", "type": "number"}, {"name": "cents", "type": "number"}]
    crm.describe(event_types=[{"name": "last_purchase", "properties": totals}])
    maps = [
        {"field": "Purchase Count", "property": "purchases"},
        {"field": "Purchase Price", "property": "cents"},
    ]
    bought = [{"filter": {"field": "Last Purchase Time", "keep": "."}}]
    events = [{"type": "last_purchase", "time": "Last Purchase Time", "map": maps}]
    crm.declare(list_goal(events=events, processors=bought))
    crm.run()
    query = "select epoch(happened_at), purchases, cents from warehouse.event_last_purchase order by 1"
    assert crm.rows(query) == [(1_750_000_000, 2, 1999)]
    assert crm.rows("select * from warehouse.quarantine") == []
    crm.change("ann@example.com", first_name="Anna")
    crm.run()
    assert crm.rows(query) == [(1_750_000_000, 2, 1999)]
    found = crm.box.account.find("email", "ann@example.com")
    assert found
    found.activity, found.lifetime = visit | {"last_purchase_time": 1_760_000_000}, spent | {"purchase_count": 3}
    crm.run()
    assert crm.rows(query) == [(1_750_000_000, 2, 1999), (1_760_000_000, 3, 1999)]
