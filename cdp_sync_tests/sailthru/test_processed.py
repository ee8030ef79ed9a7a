"""Lists of Sailthru, and profiles that processors of an export drop."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_sync_tests.sailthru.crm import Crm, list_goal
from cdp_sync_tests.sailthru.exchange import Exchange, person, sailthru, users_goal

NO_BOB = {"filter": {"field": "text_one", "drop": "^bob"}}


@pytest.fixture(name="shop")
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """Three profiles, and a goal that puts them on a list and takes them off it."""
    with sailthru() as box:
        made = Exchange(tmp_path / "crm", goal=listed(), box=box)
        made.hold(person(name) for name in ("ann", "bob", "cat"))
        yield made


def listed(*processors: dict[str, Any], **declared: Any) -> Any:
    """Return a goal with these processors."""
    return users_goal(**{"lists": ["Red"], "remove_from_lists": True, "processors": processors, **declared})


def ends(shop: Exchange) -> tuple[int, int, int, int]:
    """Run; return how many profiles were written, the same, filtered, and how many were taken off lists."""
    report = shop.run()
    counters = report.counters
    taken_off = report.profiles_taken_off or 0
    return counters.profiles_written, counters.profiles_same, counters.profiles_filtered, taken_off


def on_red(shop: Exchange) -> str:
    """Return who is on the list."""
    return " ".join(sorted(address.partition("@")[0] for address in shop.on("Red")))


def test_a_filter_takes_off_lists_until_it_is_removed(shop: Exchange) -> None:
    """A filter that is declared later takes dropped profiles off the list; without it they are put there again."""
    assert (ends(shop), on_red(shop)) == ((3, 0, 0, 0), "ann bob cat")
    shop.goal = listed(NO_BOB)
    assert (ends(shop), on_red(shop)) == ((2, 0, 1, 1), "ann cat")
    assert (ends(shop), on_red(shop)) == ((0, 2, 1, 0), "ann cat")
    assert shop.vars("bob@example.com") == {"text_one": "bob"}
    shop.goal = listed()
    assert (ends(shop), on_red(shop)) == ((3, 0, 0, 0), "ann bob cat")


def test_a_value_takes_off_lists_and_brings_back(shop: Exchange) -> None:
    """A profile whose new value is filtered leaves the list, and is back with its former value."""
    shop.goal = listed({"filter": {"field": "text_one", "drop": "away"}})
    assert (ends(shop), on_red(shop)) == ((3, 0, 0, 0), "ann bob cat")
    shop.change("update warehouse.profile set text_one = 'away' where text_one = 'bob'")
    assert (ends(shop), on_red(shop)) == ((0, 2, 1, 1), "ann cat")
    shop.change("update warehouse.profile set text_one = 'bob' where text_one = 'away'")
    assert (ends(shop), on_red(shop)) == ((1, 2, 0, 0), "ann bob cat")


def test_filtered_users_stay_where_goals_do_not_remove(shop: Exchange) -> None:
    """Without `remove_from_lists` they stay on the list and get no values; with it they leave."""
    ends(shop)
    shop.goal = listed(NO_BOB, remove_from_lists=False)
    assert (ends(shop), on_red(shop)) == ((2, 0, 1, 0), "ann bob cat")
    shop.goal = listed(NO_BOB)
    written, same, filtered, taken_off = ends(shop)
    assert (written + same, filtered, taken_off, on_red(shop)) == (2, 1, 1, "ann cat")


def test_users_of_others_stay_on_lists(shop: Exchange) -> None:
    """A filter leaves users on the list that the goal did not put there."""
    account = shop.box.account
    account.add_users([{"email": "bob@example.com"}])
    bob = account.find("email", "bob@example.com")
    assert bob
    account.subscribe(bob, "Red", account.now)
    shop.box.clock.advance(3600)
    ends(shop)
    shop.goal = listed(NO_BOB)
    assert (ends(shop), on_red(shop)) == ((2, 0, 1, 0), "ann bob cat")


def test_first_rows_fill_up(shop: Exchange) -> None:
    """Where somebody leaves the segment, the next profile is one of the first and takes the place on the list."""
    shop.goal = listed({"first_rows": {"rows": 2}}, segment="keen")
    assert (ends(shop), on_red(shop)) == ((2, 0, 1, 0), "ann bob")
    shop.change("update warehouse.profile set keen = false where text_one = 'ann'")
    assert (ends(shop), on_red(shop)) == ((1, 1, 0, 1), "bob cat")
    shop.change("update warehouse.profile set keen = true")
    assert (ends(shop), on_red(shop)) == ((1, 1, 1, 1), "ann bob")


def test_a_date_that_a_filter_asks_for_moves_users(shop: Exchange) -> None:
    """A filter on the date of the run is asked again on another day, though no value has changed."""
    shop.goal = listed({"add_date": {"field": "day"}}, {"filter": {"field": "day", "keep": "-31$"}})
    assert (ends(shop), on_red(shop)) == ((3, 0, 0, 0), "ann bob cat")
    shop.box.clock.advance(24 * 3600)
    assert (ends(shop), on_red(shop)) == ((0, 0, 3, 3), "")


def test_a_date_sends_nobody_again_whatever_the_other_processors(shop: Exchange) -> None:
    """The date of the run is no change of a profile, also where processors read all profiles."""
    shop.goal = listed({"add_date": {"field": "day"}}, {"drop_duplicates": {"field": "text_one"}})
    assert ends(shop) == (3, 0, 0, 0)
    assert shop.vars("ann@example.com") == {"text_one": "ann", "day": "2026-01-31"}
    shop.box.clock.advance(24 * 3600)
    assert ends(shop) == (0, 3, 0, 0)
    shop.change("update warehouse.profile set text_one = 'Ann' where text_one = 'ann'")
    assert ends(shop) == (1, 2, 0, 0)
    assert shop.vars("ann@example.com") == {"text_one": "Ann", "day": "2026-02-01"}


def test_dagster_imports_a_list_through_processors(crm: Crm) -> None:
    """Members that a processor drops are counted and do not land; the others land as processors leave them."""
    people = [("ann", "ANN"), ("bob", "bob test"), ("cat", "cat")]
    crm.box.account.add_users(
        {"email": f"{name}@example.com", "lists": ["Main"], "vars": {"first_name": text}} for name, text in people
    )
    tidy = [{"filter": {"field": "first_name", "drop": "test"}}, {"casing": {"field": "first_name", "to": "words"}}]
    crm.declare(list_goal(processors=tidy))
    found = crm.metadata(crm.run(), "members")
    assert (found["rows_read"], found["rows_applied"], found["rows_filtered"]) == (3, 2, 1)
    assert crm.rows("select first_name from warehouse.profile order by 1") == [("Ann",), ("Cat",)]
    crm.change("cat@example.com", first_name="kit")
    found = crm.metadata(crm.run(), "members")
    assert (found["rows_applied"], found["rows_unchanged"], found["rows_filtered"]) == (1, 1, 1)
    crm.declare(list_goal(processors=tidy[1:]))
    found = crm.metadata(crm.run(), "members")
    assert (found["rows_applied"], found["profiles_created"], found["rows_filtered"]) == (3, 1, 0)
