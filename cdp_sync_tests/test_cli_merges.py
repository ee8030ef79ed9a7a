"""The commands `merges`, `merge` and `unmerge`, and what `profile` and `runs` show of merged profiles."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_sync.orchestration.instance import open_instance
from cdp_sync_tests.projects import Project, goal, open_project
from cdp_sync_tests.test_cli import answer, cdp_sync, history, output_of

__all__ = ["history"]

RULE = {"merge_rules": [{"property": "number"}]}
MAP = [{"field": "Number", "property": "number"}, {"field": "Total", "property": "total"}]
PEOPLE = "Email,Number,Total\nada@example.com,N-1000,1\nada@old.example,N-1000,2\nbob@example.com,N-2000,4\n"
"""Two profiles of one person, and one of another."""
PERSONAL = ("ada@", "bob@", "N-1000", "N-2000")


@pytest.fixture
def shop(project: Project, history: Path) -> Project:
    """A project with three profiles, none of them merged."""
    shutil.copytree(history, project.folder / "dagster")
    project.connect("shop", goal(map=MAP))
    project.deliver("/inbox/customers_1.csv", PEOPLE)
    output_of(cdp_sync("run", "shop"))
    return project


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory, history: Path) -> Iterator[Project]:
    """A project whose two profiles of one person were merged by a rule, for tests that only read."""
    with open_project(tmp_path_factory.mktemp("merges") / "project") as project:
        shutil.copytree(history, project.folder / "dagster")
        project.describe(**RULE)
        project.connect("shop", goal(map=MAP))
        project.deliver("/inbox/customers_1.csv", PEOPLE)
        output_of(cdp_sync("run", "shop"))
        yield project


def shown(value: str) -> dict[str, Any]:
    """Return the one live profile that a value names."""
    (found,) = answer("profile", value, "--json")
    return dict(found)


def live() -> dict[str, str]:
    """Return the e-mail addresses of live profiles by the address that finds them."""
    return {email: shown(email)["email"] for email in ("ada@example.com", "ada@old.example", "bob@example.com")}


def test_a_preview_shows_the_pairs_that_the_rules_would_merge(shop: Project) -> None:
    """`merges --preview` shows each pair with rule and shared value, and changes nothing."""
    shop.describe(**RULE)
    found = answer("merges", "--preview", "--json")
    assert (found["merged"], found["unmerged"], found["blocked"]) == (1, 0, [])
    (pair,) = found["evidence"]
    assert {pair["left"], pair["right"]} == {
        shown(email)["profile_id"] for email in ("ada@example.com", "ada@old.example")
    }
    assert (pair["rule"], pair["property"], pair["value"]) == ("number", "number", "N-1000")
    printed = output_of(cdp_sync("merges", "--preview"))
    assert "by number: N-1000" in printed
    assert "1 profile merged" in printed
    assert answer("merges", "--json") == {"total": 0, "rows": []}


def test_a_preview_shows_what_guards_stop(shop: Project) -> None:
    """`merges --preview` names each guard that stops a merge, with ids and without the shared value."""
    shop.describe(**RULE)
    lines = "".join(f"p{number}@example.com,N-3000,1\n" for number in range(21))
    shop.deliver("/inbox/customers_2.csv", f"Email,Number,Total\n{lines}")
    assert "21 profiles share one value of number" in output_of(cdp_sync("run", "shop"))
    (blocked,) = answer("merges", "--preview", "--json")["blocked"]
    assert (blocked["guard"], blocked["rule"], blocked["profiles"]) == ("too many holders", "number", 21)
    printed = output_of(cdp_sync("merges", "--preview"))
    assert blocked["message"] in printed
    assert blocked["sample"][0] in printed
    assert "N-3000" not in printed


def test_the_latest_decisions_are_shown_with_their_reason(merged: Project) -> None:
    """`merges` lists decisions: all, those of a profile, and those by a rule."""
    found = answer("merges", "--json")
    assert found["total"] == 1
    (row,) = found["rows"]
    assert (row["kind"], row["rule"], row["value"], row["revoked_at"]) == ("merge", "number", "N-1000", None)
    for email, total in (("ada@old.example", 1), ("ada@example.com", 1), ("bob@example.com", 0)):
        assert answer("merges", "--profile", email, "--json")["total"] == total
    assert answer("merges", "--rule", "number", "--json")["total"] == 1
    assert answer("merges", "--rule", "email", "--json")["total"] == 0
    printed = output_of(cdp_sync("merges", "--limit", "1"))
    assert "by number: N-1000" in printed
    assert "1 of 1 decision." in printed


def test_a_profile_shows_what_was_merged_into_it(merged: Project) -> None:
    """The id or an identifier of a merged profile finds the live one, which shows its parts, why, and their history."""
    live_one = shown("ada@old.example")
    (part,) = live_one["merged_from"]
    assert part["decisions"][0]["value"] == "N-1000"
    assert part["identifiers"] == ["ada@example.com", "N-1000"]
    assert sorted(change["kind"] for change in live_one["changes"]) == ["created", "created", "merged"]
    assert {change["profile_id"] for change in live_one["changes"]} == {live_one["profile_id"], part["profile_id"]}
    for value in ("ada@example.com", part["profile_id"]):
        found = shown(value)
        assert (found["profile_id"], found["named_parts"]) == (live_one["profile_id"], [part["profile_id"]])
        printed = output_of(cdp_sync("profile", value))
        assert f"{part['profile_id']}  merged into  {live_one['profile_id']}" in printed
        assert f"merged from {part['profile_id']}" in printed
        assert "ada@example.com, N-1000" in printed
        assert "by number: N-1000" in printed
    assert shown("bob@example.com")["merged_from"] == []


def test_runs_show_how_many_profiles_were_merged(merged: Project) -> None:
    """`runs` has the counts of merged profiles, in the sentence and as counters."""
    assert "1 merged, 0 unmerged" in output_of(cdp_sync("runs"))
    (run,) = answer("runs", "--json")["runs"]
    assert (run["goals"][0]["profiles_merged"], run["goals"][0]["profiles_unmerged"]) == (1, 0)


def test_profiles_are_merged_by_hand_and_taken_apart_for_good(shop: Project) -> None:
    """`merge` makes two profiles one; `unmerge` gives both back, and stores that they stay apart."""
    made = answer("merge", "ada@example.com", "bob@example.com", "--by", "Eve", "--json")
    assert (made["state"], made["merged"]) == ("success", 1)
    assert live()["ada@example.com"] == "bob@example.com"
    assert "decided by Eve" in output_of(cdp_sync("merges"))
    back = answer("unmerge", "ada@example.com", "--from", "bob@example.com", "--by", "Eve", "--json")
    assert (back["state"], back["unmerged"]) == ("success", 1)
    assert live()["ada@example.com"] == "ada@example.com"
    (first, second) = answer("merges", "--json")["rows"]
    assert (first["kind"], first["decided_by"], first["revoked_at"]) == ("keep_apart", "Eve", None)
    assert (second["kind"], second["revoked_at"] is None) == ("merge", False)
    printed = output_of(cdp_sync("merges"))
    assert "keep apart" in printed
    assert "revoked at" in printed


def test_a_decision_stands_in_the_history_without_personal_data(shop: Project) -> None:
    """Decisions run through Dagster; run config, tags and events name profiles by id only."""
    ran = [
        answer("merge", "ada@example.com", "bob@example.com", "--by", "Eve", "--json")["run_id"],
        answer("unmerge", "ada@example.com", "--json")["run_id"],
        answer("merge", "ada@example.com", "ada@old.example", "--json")["run_id"],
        answer("unmerge", "ada@old.example", "--identifiers", "ada@example.com", "--json")["run_id"],
    ]
    with open_instance() as instance:
        for run_id, job in zip(ran, ("merge_two_profiles", "unmerge_profile") * 2, strict=True):
            run = instance.get_run_by_id(run_id)
            assert run
            assert (run.job_name, run.status, run.tags["reason"]) == (job, dg.DagsterRunStatus.SUCCESS, "by hand")
            logged = [str(record) for record in instance.all_logs(run_id)]
            everything = json.dumps([run.run_config, dict(run.tags), logged])
            assert [value for value in PERSONAL if value in everything] == []
        assert run.run_config["ops"]["unmerge"]["config"]["identifiers"] == 1


def test_previews_of_decisions_change_nothing(shop: Project) -> None:
    """`merge --preview` and `unmerge --preview` name the profiles and what happens to each, and change nothing."""
    before = live()
    found = answer("merge", "ada@example.com", "bob@example.com", "--preview", "--json")
    assert (found["merged"], [part["then"] for part in found["parts"]]) == (1, ["merges", "merges"])
    assert live() == before
    output_of(cdp_sync("merge", "ada@example.com", "bob@example.com"))
    before = live()
    found = answer("unmerge", "ada@example.com", "--preview", "--json")
    assert (found["unmerged"], [part["then"] for part in found["parts"]]) == (1, ["leaves", "stays"])
    printed = output_of(cdp_sync("unmerge", "ada@example.com", "--preview"))
    assert "nothing is changed" in printed
    assert "1 profile unmerged" in printed
    assert live() == before
    assert answer("merges", "--json")["total"] == 1


def test_some_identifiers_are_split_off(shop: Project) -> None:
    """`unmerge --identifiers` makes a profile of the named values; the other ones stay."""
    output_of(cdp_sync("merge", "ada@example.com", "bob@example.com"))
    assert "1 split off" in output_of(cdp_sync("unmerge", "bob@example.com", "--identifiers", "N-2000"))
    assert shown("N-2000")["email"] is None
    assert (shown("bob@example.com")["number"], shown("ada@example.com")["email"]) == ("N-1000", "bob@example.com")


REFUSED = {
    ("merge", "ada@example.com", "ada@example.com"): (1, "They are one profile already."),
    ("merge", "ada@example.com", "nobody@example.com"): (2, "No profile has this identifier or id."),
    ("merge", "ada@example.com", "nobody@example.com", "--preview"): (2, "No profile has this identifier or id."),
    ("merge", "N-1000", "bob@example.com"): (2, "2 profiles have this identifier."),
    ("merges", "--profile", "nobody@example.com"): (2, "No profile has this identifier or id."),
    ("unmerge", "bob@example.com"): (1, "not merged with another one"),
    ("unmerge", "bob@example.com", "--preview"): (1, "not merged with another one"),
    ("unmerge", "nobody@example.com"): (2, "No profile has this identifier or id."),
    ("unmerge", "ada@example.com", "--from", "bob@example.com"): (1, "not merged into that one"),
    ("unmerge", "bob@example.com", "--identifiers", "x@example.com"): (1, "no identifiers of the profile"),
    ("unmerge", "bob@example.com", "--identifiers", ""): (2, "Invalid value for '--identifiers'"),
    ("unmerge", "bob@example.com", "--identifiers", "N-2000,,"): (2, "Invalid value for '--identifiers'"),
    ("merges", "--preview", "--rule", "number"): (2, "--preview shows what all rules would do"),
}


def test_what_cannot_be_decided_is_refused(shop: Project) -> None:
    """A refusal names the reason, repeats no identifier, and changes nothing; unknown profiles are status 2."""
    before = live()
    for arguments, (status, reason) in REFUSED.items():
        printed = output_of(cdp_sync(*arguments), status)
        assert reason in printed, arguments
        assert "nobody@" not in printed
    assert live() == before
    assert answer("merges", "--json")["total"] == 0


def test_a_value_that_parts_share_names_their_profile_and_no_part(merged: Project) -> None:
    """A value that several parts have finds the live profile; which part `unmerge` takes out is said by its id."""
    found = answer("merge", "N-1000", "bob@example.com", "--preview", "--json")
    assert (found["moved"], len(found["parts"])) == (1, 3)
    assert "2 profiles have this identifier" in output_of(cdp_sync("unmerge", "N-1000", "--preview"), 2)
    part = shown("N-1000")["merged_from"][0]["profile_id"]
    found = answer("unmerge", part, "--from", "N-1000", "--preview", "--json")
    assert [each["then"] for each in found["parts"]] == ["leaves", "stays"]
    found = answer("unmerge", "N-1000", "--identifiers", "ada@example.com", "--preview", "--json")
    assert (found["split"], found["unmerged"], found["parts"]) == (1, 0, [])


def test_a_name_does_not_control_the_terminal(shop: Project) -> None:
    """The name of the person who decides is shown with escapes for control characters."""
    output_of(cdp_sync("merge", "ada@example.com", "bob@example.com", "--by", "E\x1b[2Jve"))
    for command in (("merges",), ("profile", "bob@example.com")):
        assert r"decided by E\x1b[2Jve" in output_of(cdp_sync(*command))


def test_a_profile_is_unmerged_once(shop: Project) -> None:
    """What was unmerged before is not merged any more: unmerging it again is refused."""
    output_of(cdp_sync("merge", "ada@example.com", "bob@example.com"))
    output_of(cdp_sync("unmerge", "ada@example.com"))
    assert "not merged with another one" in output_of(cdp_sync("unmerge", "ada@example.com"), 1)
    refused = answer("unmerge", "ada@example.com", "--json", status=1)
    assert (refused["state"], "not merged" in refused["message"]) == ("failed", True)


def test_before_the_first_run_there_is_nothing_to_decide(project: Project) -> None:
    """Before the first run, `merges` is empty, other commands know no profile, and no warehouse is created."""
    project.describe(**RULE)
    assert answer("merges", "--json") == {"total": 0, "rows": []}
    assert answer("merges", "--preview", "--json")["merged"] == 0
    output_of(cdp_sync("merge", "ada@example.com", "bob@example.com"), 2)
    output_of(cdp_sync("unmerge", "ada@example.com", "--preview"), 2)
    assert not (project.data / "warehouse.duckdb").exists()
