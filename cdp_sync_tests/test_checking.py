"""`check` and `scan` report every problem that a run would refuse, without loading Dagster."""

import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.checking import check_project
from cdp_sync.model import Profiles
from cdp_sync.warehouse import sync_events
from cdp_sync_tests.projects import PROPERTIES, SPENDERS, Project, export, goal
from cdp_sync_tests.test_cli import COMMAND, FIRST, answer, cdp_sync, history, output_of, shop
from cdp_sync_tests.warehouse.holder import held

__all__ = ["history", "shop"]

SUMMED = {"map": [{"field": "Total", "property": "total", "mode": "sum"}]}


def change_types(project: Project, **types: str) -> None:
    """Declare different types for these properties."""
    changed = [dict(each) | ({"type": types[each["name"]]} if each["name"] in types else {}) for each in PROPERTIES]
    project.declare("profiles", {"properties": changed}, kind="ProfileModel")


def process(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a separate process."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_reports_all_problems_at_once(shop: Project) -> None:
    """One check reports two changed types, an unknown property and a wrong set mode."""
    shop.connect("shop", goal(**SUMMED))
    output_of(cdp_sync("run", "shop"))
    change_types(shop, total="text", first_name="number")
    shop.connect("shop", goal("renamed", files="customers_*.csv", **SUMMED))
    shop.connect("other", goal(map=[{"field": "A", "property": "frist_name"}]))
    done = process(shop, "check")
    assert (done.returncode, done.stdout) == (1, "")
    for needle in (
        "other/defs.yaml",
        "'frist_name' is unknown",
        "shop/defs.yaml",
        "'sum' needs a single number or decimal",
        "Property 'total' is stored as DECIMAL(18,4) and declared as VARCHAR (text).",
        "Property 'first_name' is stored as VARCHAR and declared as BIGINT (number).",
    ):
        assert needle in done.stderr
    assert "Traceback" not in done.stderr
    shop.describe()
    assert "shop/renamed reads files that shop/customers has imported" in process(shop, "check").stderr


def test_run_and_check_refuse_a_changed_type(shop: Project) -> None:
    """A run and a check give the same message for a changed type; it names every property."""
    output_of(cdp_sync("run", "shop"))
    change_types(shop, total="text", first_name="number")
    shop.deliver("/inbox/customers_2.csv", FIRST, minutes=1)
    checked = output_of(cdp_sync("check"), 1)
    (ran,) = answer("run", "shop", "--json", status=1)["goals"]
    for name in ("total", "first_name"):
        (line,) = [line for line in checked.splitlines() if f"Property '{name}'" in line]
        assert line.removeprefix("Error: ") in ran["message"]


def test_check_reports_a_locked_warehouse_as_not_compared(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the warehouse, `check` reports that it did not compare, and not a problem."""
    output_of(cdp_sync("run", "shop"))
    monkeypatch.setattr("cdp_sync.checking._PATIENCE", 0.1)
    with held(shop.data / "warehouse.duckdb"):
        printed = output_of(cdp_sync("check"))
    assert "What the warehouse holds was not compared with the declarations." in printed
    assert "all in order" in printed


def test_check_reports_an_invalid_warehouse_file(shop: Project) -> None:
    """`check` reports a warehouse file that is no database together with the other problems."""
    (shop.data / "warehouse.duckdb").write_bytes(b"no database" * 2000)
    shop.connect("other", goal(map=[{"field": "A", "property": "frist_name"}]))
    printed = output_of(cdp_sync("check"), 1)
    assert "warehouse.duckdb is not a DuckDB database" in printed
    assert "'frist_name' is unknown" in printed


def test_a_connection_whose_goals_are_all_off_is_named(shop: Project) -> None:
    """A connection whose goals are all off is reported: its declaration is valid, and a run of it is refused."""
    shop.connect("quiet", goal(enabled=False))
    printed = output_of(cdp_sync("check"))
    assert "quiet has no goal that is on" in printed
    assert "Every goal of quiet is off." in output_of(cdp_sync("run", "quiet"), 1)


def noted(project: Project, connection: str) -> Path:
    """Record an upload as a run leaves it that is killed during the upload."""
    upload = {
        "server": "shop@old.example:22",
        "path": "/out/a.csv",
        "part": "/out/.a.csv.01.part",
        "aside": "/out/.a.old",
    }
    file = project.data / "uploads" / connection / "0123456789abcdef.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(upload) + "\n")
    return file


def test_check_names_uploads_of_undeclared_connections(shop: Project) -> None:
    """`check` names unfinished uploads of undeclared connections, what they may leave, and the remedy such as `was`."""
    noted(shop, "shop")
    file = noted(shop, "store")
    with noted(shop, "going").open("rb") as going:
        fcntl.flock(going, fcntl.LOCK_EX)  # as a run in progress does
        printed = output_of(cdp_sync("check"))
    (line,) = [line for line in printed.splitlines() if "upload" in line]
    assert "Connection store is not declared any more" in line
    assert "'/out/.a.csv.01.part' on shop@old.example:22" in line
    assert "declare `was: store`" in line
    assert "remove the file there" in line
    assert line.endswith(f"remove the note {file}.")
    (shop.data / "uploads" / "store" / "1.json").mkdir()
    assert "1.json cannot be read, or not be removed: Is a directory." in output_of(cdp_sync("check"))
    shop.connect("other", goal(), was="store")
    shop.connect("third", goal(), was="going")
    assert "upload" not in output_of(cdp_sync("check"))


def test_check_keeps_a_connection_with_problems(shop: Project) -> None:
    """`check` does not report a connection as removed while its declaration has problems."""
    noted(shop, "other")
    shop.connect("other", goal(map=[{"field": "A", "property": "frist_name"}]))
    assert "is not declared any more" not in output_of(cdp_sync("check"), 1)


def test_check_of_a_connection_names_each_directory_that_is_missing(shop: Project) -> None:
    """`check` of a connection names each missing directory and lists the others."""
    shop.connect("shop", goal(directory="/nowhere"), goal("orders"), goal("more", directory="/neither"))
    printed = output_of(cdp_sync("check", "shop"), 1)
    assert "/nowhere: " in printed
    assert "/inbox: 1 file" in printed
    assert "/neither: " in printed


_WITHOUT = """
import sys
from cdp_sync.cli import main
try:
    main(["check"])
finally:
    loaded = {name.partition(".")[0] for name in sys.modules}
    print(sorted(loaded & {"dagster", "paramiko", "requests", "numpy", "pandas", "sqlalchemy"}), file=sys.stderr)
"""


def test_check_loads_neither_dagster_nor_the_engines(shop: Project) -> None:
    """`check` of a project with templates and a warehouse imports neither Dagster nor the engines."""
    shop.connect("shop", goal(**SUMMED), server={"port": "{{ env('SHOP_PORT', '22') }}"})
    shop.declare("maintenance", {}, kind="Maintenance")
    with shop.warehouse.open("write"):
        pass
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT],
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "all in order" in done.stdout
    assert done.stderr == "[]\n"


def states(found: dict[str, Any]) -> dict[str, tuple[str, bool | None]]:
    """Return each file's state, and whether a run would refuse it."""
    return {Path(file["path"]).name: (file["state"], file["refused"]) for file in found["files"]}


def test_scan_reports_the_refusal_of_each_file(shop: Project) -> None:
    """`scan` reports the refusal of a file by header, trailer, error budget or kind; a run refuses the same files."""
    form = {"trailer": {"begins_with": "END", "count_field": 2}}
    shop.connect("shop", goal(max_rejected_percent=20, format=form))
    for number, text in enumerate(
        (
            FIRST + "END,3\n",
            "Mail,Total\na@example.com,1\nEND,1\n",
            FIRST + "END,7\n",
            FIRST.replace("Ada,1.5", "Ada,1.5,surplus,cells") + "END,3\n",
            "%PDF-1.7\n",
            "",
        ),
        start=1,
    ):
        shop.deliver(f"/inbox/customers_{number}.csv", text, minutes=number)
    (found,) = answer("scan", "shop", "--json")["goals"]
    refused = {name: refused for name, (_, refused) in states(found).items()}
    ran = {Path(file["path"]).name: file["state"] == "failed" for file in files_of_run(shop)}
    assert refused == ran
    assert sum(refused.values()) == 4
    assert all(preview["message"] for preview in found["previews"] if preview["refused"])
    printed = output_of(cdp_sync("scan", "shop"))
    assert "would be refused" in printed


def files_of_run(project: Project) -> list[dict[str, Any]]:
    """Run the connection and return the outcome of its files."""
    (ran,) = answer("run", "shop", "--json", status=1)["goals"]
    files: list[dict[str, Any]] = ran["files"]
    return files


def test_scan_reads_files_up_to_the_limit(shop: Project) -> None:
    """`scan` reads all due files up to the limit and reports no verdict for the others."""
    for number in (2, 3, 4):
        shop.deliver(f"/inbox/customers_{number}.csv", FIRST, minutes=number)
    (found,) = answer("scan", "shop", "--json")["goals"]
    assert [Path(each["path"]).name[-5] for each in found["previews"]] == ["1", "2", "3", "4"]
    (found,) = answer("scan", "shop", "--limit", "2", "--json")["goals"]
    assert len(found["previews"]) == 2
    assert [refused for _, refused in states(found).values()] == [False, False, None, None]
    assert cdp_sync("scan", "shop", "--limit", "-1").exit_code == 2


def test_scan_reads_the_beginning_of_a_large_file(shop: Project) -> None:
    """`scan` reads the beginning of a large file: it finds a wrong header, and gives no verdict on the rest."""
    rows = "".join(f"p{number}@example.com,Name,1\n" for number in range(20_000))
    shop.deliver("/inbox/customers_1.csv", "Email,FirstName,Total\n" + rows)
    shop.deliver("/inbox/customers_2.csv", "Mail,FirstName,Total\n" + rows, minutes=1)
    (found,) = answer("scan", "shop", "--json")["goals"]
    assert [refused for _, refused in states(found).values()] == [None, True]


def test_scan_reports_the_refusal_of_a_goal(shop: Project) -> None:
    """`scan` reports why a goal is refused: changed type, sums of another goal, missing directory."""
    shop.connect("shop", goal(**SUMMED))
    output_of(cdp_sync("run", "shop"))
    shop.connect(
        "shop", goal("renamed", files="customers_*.csv", **SUMMED), goal("orders"), goal("lost", directory="/nowhere")
    )
    renamed, orders, lost = answer("scan", "shop", "--json", status=1)["goals"]
    assert "shop/renamed reads files that shop/customers has imported" in renamed["refused"]
    assert orders["refused"] == ""
    assert "/nowhere" in lost["refused"]
    printed = output_of(cdp_sync("scan", "shop"), 1)
    assert printed.count("\n  A run would refuse this goal: ") == 2
    assert [file["refused"] for file in renamed["files"] if file["state"] == "new"] == [True]
    change_types(shop, total="text")
    shop.connect("shop", goal())
    (customers,) = answer("scan", "shop", "--json")["goals"]
    assert "Property 'total' is stored as DECIMAL(18,4)" in customers["refused"]


def test_a_file_whose_detected_column_contradicts_a_stored_one_is_refused(shop: Project) -> None:
    """A file is refused if a detected column contradicts the stored type of a property no longer declared."""
    output_of(cdp_sync("run", "shop"))
    shop.describe(properties=[dict(each) for each in PROPERTIES if each["name"] != "total"])
    shop.connect("shop", goal(map=[], map_detected={}))
    shop.deliver("/inbox/customers_2.csv", FIRST, minutes=1)
    (found,) = answer("scan", "shop", "--json")["goals"]
    assert "Property 'total' is stored as DECIMAL(18,4)" in found["previews"][0]["message"]
    assert set(states(found).values()) == {("stale", True), ("new", True)}
    assert "Property 'total' is stored as DECIMAL(18,4)" in output_of(cdp_sync("run", "shop"), 1)


def test_an_empty_warehouse_file_is_reported(shop: Project) -> None:
    """An empty warehouse file is reported as a problem; a missing file is not."""
    assert "all in order" in output_of(cdp_sync("check"))
    (shop.data / "warehouse.duckdb").touch()
    printed = output_of(cdp_sync("check"), 1)
    assert "Error: warehouse.duckdb is damaged: it is empty." in printed


def test_check_says_what_never_expires(project: Project) -> None:
    """`keep_days` without a component that removes events is a note; what is declared of events is counted."""
    project.connect("shop", goal())
    project.describe(event_types=[{"name": "visit", "keep_days": 30}], group_types=[{"name": "store"}])
    done = process(project, "check")
    assert done.returncode == 0
    assert "1 type of events, 1 type of groups: all in order." in done.stdout
    assert "Nothing removes old events of visit: keep_days needs a component cdp_sync.components.Maintenance." in (
        done.stdout + done.stderr
    )
    project.declare("maintenance", {}, kind="Maintenance")
    done = process(project, "check")
    assert "Nothing removes" not in done.stdout + done.stderr


def test_check_says_which_goals_a_lifecycle_holds(project: Project) -> None:
    """A goal whose lifecycle is off is noted, as it exports nobody."""
    has_email = {"property": "email", "has_value": True}
    welcome = {"name": "welcome", "enter": has_email, "stages": [{"name": "fresh", "when": has_email}]}
    project.describe(segments=[SPENDERS])
    project.connect("shop", export_profiles=[export(lifecycle={"name": "welcome"})])
    for enabled, noted in ((True, 0), (False, 1)):
        project.declare("welcome", {**welcome, "enabled": enabled}, kind="Lifecycle")
        found = check_project()
        held = [note for note in found.notes if "exports nobody" in note]
        assert (len(held), found.problems) == (noted, ())


def test_check_says_which_sums_a_merge_hides(project: Project) -> None:
    """With merge rules, a summed property without `merge` is noted; with one, or without rules, it is not."""
    rules = {"merge_rules": [{"property": "number"}]}
    project.connect("shop", goal(map=[{"field": "Total", "property": "total", "mode": "sum"}]))
    total = {"name": "total", "type": "decimal"}
    for declared, strategy, noted in ((rules, {}, 1), (rules, {"merge": "sum"}, 0), ({}, {}, 0)):
        project.describe(**declared, properties=[*PROPERTIES[:-1], total | strategy])
        found = check_project()
        assert (len(found.notes), found.problems) == (noted, ())
        for note in found.notes:
            assert "total is summed by shop / customers" in note
            assert "`merge: sum`" in note


def test_check_refuses_rules_that_fit_no_property(project: Project) -> None:
    """Rules over unknown or non-identifier properties are problems with their place and the allowed names."""
    project.describe(
        merge_rules=[{"property": "total"}, {"property": "emial"}, {"property": "email", "and": [{"same": "x"}]}]
    )
    (problem,) = check_project().problems
    for part in (
        "merge_rules[0].property: 'total' is not an identifier; allowed: email, number",
        "merge_rules[1].property: 'emial' is unknown; did you mean 'email'?",
        "merge_rules[2].and[0].same: 'x' is unknown",
    ):
        assert part in problem


def test_check_names_events_of_types_that_are_not_declared(project: Project) -> None:
    """Events of a removed or renamed type stay; a note has their number and the way out."""
    project.connect("shop", goal())
    project.describe(event_types=[{"name": "visit"}, {"name": "never"}])
    with project.warehouse.open("write") as session:
        sync_events(session, Profiles(properties=PROPERTIES, event_types=[{"name": "visit"}, {"name": "never"}]))
        session.execute("insert into warehouse.event_visit (event_id) values ('v1')")
    assert "not declared any more" not in process(project, "check").stdout
    project.describe()
    done = process(project, "check")
    assert done.returncode == 0
    assert "The type 'visit' is not declared any more; timelines still have 1 event of it." in done.stdout
    assert "'never'" not in done.stdout


def test_check_names_goals_that_write_to_one_file(project: Project) -> None:
    """Exports of profiles and events, split or not, as far as the name has no time; other directories do not count."""
    columns = [{"field": "email", "property": "email"}]
    segments = [{"name": "all_of_them", "when": {"property": "email", "has_value": True}}]
    project.describe(event_types=[{"name": "visit"}, {"name": "order"}], segments=segments)
    named = {"directory": "/out", "file": {"name": "x.csv"}, "map": columns}
    profiles = [
        {"name": "one", "segment": "all_of_them", **named},
        {"name": "two", "segment": "all_of_them", **named, "directory": "/out/"},
        {"name": "timed", "segment": "all_of_them", **named, "file": {"name": "x.csv", "timestamp": True}},
        {"name": "elsewhere", "segment": "all_of_them", **named, "directory": "/other"},
    ]
    events = [
        {"name": "everything", "window": "all", "events": ["visit"], **named},
        {"name": "days", "window": "day", "events": ["visit"], **named},
        {"name": "types", "window": "all", "split": "by_type", "events": ["visit", "order"], **named},
        {"name": "orders", "window": "all", "split": "by_type", "events": ["order"], **named},
        {"name": "new", "events": ["visit"], **named},
    ]
    project.connect("shop", export_profiles=profiles, export_events=events)
    done = process(project, "check")
    assert (done.returncode, done.stderr) == (0, "")
    found = [line.split(" both put")[0] for line in done.stdout.splitlines() if " both put" in line]
    assert found == [f"shop: the goals {pair}" for pair in ("one and two", "one and everything", "types and orders")]
