"""The commands in README and docs/operating.md work unchanged after `make demo`."""

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync.sandbox.demo.contacts import Contacts
from cdp_sync.sandbox.demo.exchange import responses_agree
from cdp_sync.sandbox.demo.files import COUPLE
from cdp_sync.sandbox.demo.merges import couple_is_apart
from cdp_sync.sandbox.demo.readers import figures_agree, keen_readers_open_more
from cdp_sync.sandbox.demo.welcome import first_order_is_noticed
from cdp_sync.sandbox.servers import SandboxServers
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.test_documentation import OPERATING, README, ROOT, blocks
from cdp_sync_tests.trail import victim

LINES = [
    re.sub(r"\s+# .*", "", line.removeprefix("$ "))
    for line in "\n".join(blocks(README + OPERATING, "console")).splitlines()
    if line.startswith("$ cdp-sync ") and not line.startswith("$ cdp-sync sandbox")
]

FIGURES = """
select
    (select sum(profiles_created) from warehouse.run),
    count(*) filter (merged_into is null), count(*) filter (merged_into is not null),
    sum(branch_total) filter (merged_into is null),
    (select sum(branch_total) from warehouse.profile_by_itself)
from warehouse.profile"""
"""How many profiles were created, are live and are merged; the totals of live profiles, and of all by themselves."""

TOUCHES = """
select count(*), count(distinct profile_id), (select count(*) from warehouse.touch_reservation)
from warehouse.touchpoint
where lifecycle = 'welcome' and connection = 'mailing' and goal = 'greeting'"""
"""How many touches of the greeting there are, of how many profiles, and how many runs' touches are not final."""

CONTACTS = """
select state, rows_read, message from warehouse.run
where connection = 'spotler' and goal = 'contacts'
order by started_at"""

DECISIONS = "select kind, revoked_at is null as holds, count(*) from warehouse.decision group by all order by all"


def status_of(line: str, folder: Path, environ: dict[str, str]) -> int | None:
    """Run a command line in a folder and return its exit status."""
    arguments = shlex.split(line)[1:]
    return victim.exit_code(victim.start(victim.command, arguments, folder, environ, None), patience=250)


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder after the demonstration, and the environment with its running servers."""
    folder = tmp_path_factory.mktemp("demonstrated")
    for name in ("dagster.yaml", "workspace.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    assert status_of("cdp-sync demo", folder, {}) == 0
    with (
        patch.dict(os.environ),
        SandboxServers(sailthru_port=0, iterable_port=0, folder=folder / "data" / "sandbox") as servers,
    ):
        yield folder, dict(servers.environment)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_shown_commands_succeed(demonstrated: tuple[Path, dict[str, str]]) -> None:
    """Each shown command exits with status 0, so the connections, goals, segments and profiles it names exist."""
    assert len(LINES) > 10
    assert [line for line in LINES if status_of(line, *demonstrated) != 0] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_figures_add_up(demonstrated: tuple[Path, dict[str, str]]) -> None:
    """Profiles that were created are live or merged, live ones show the sums of all, and one merge was taken back."""
    with Warehouse(demonstrated[0] / "data" / "warehouse.duckdb").open("read") as session:
        (figures,) = session.rows(FIGURES)
        decisions = session.rows(DECISIONS)
    created, live, merged, shown, said = figures
    assert (created, shown) == (live + merged, said)
    assert decisions == [("keep_apart", True, 1), ("merge", False, 1), ("merge", True, 2)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demonstration_notices_a_merge(
    demonstrated: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demonstration's check of the couple holds after it, and fails where the two are one again."""
    folder = shutil.copytree(demonstrated[0], tmp_path / "merged")
    monkeypatch.setenv("CDP_SYNC_DATA", str(folder / "data"))
    files = folder / "data" / "sandbox" / "sftp"
    assert couple_is_apart(files)
    assert status_of(f"cdp-sync merge {' '.join(COUPLE)}", folder, {}) == 0
    assert not couple_is_apart(files)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nobody_is_greeted_twice(demonstrated: tuple[Path, dict[str, str]]) -> None:
    """Four runs of the greeting touched each customer once, and wrote each to a file once.

    The address that occurs twice is that of the couple, who are two customers.
    """
    with Warehouse(demonstrated[0] / "data" / "warehouse.duckdb").open("read") as session:
        touches, touched, open_runs = session.rows(TOUCHES)[0]
    outbox = demonstrated[0] / "data" / "sandbox" / "sftp" / "mailing" / "outbox"
    greeted = []
    for file in outbox.glob("greeting_*.csv"):
        with file.open(encoding="utf-8", newline="") as rows:
            greeted += [row["Email"] for row in csv.DictReader(rows, delimiter=";")]
    assert (touches, open_runs) == (touched, 0)
    assert len(greeted) == touches > 50
    assert [address for address, times in Counter(greeted).items() if times > 1] == ["behrens@example.net"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demonstration_notices_a_missing_move(
    demonstrated: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demonstration's check of the first order holds after it, and fails without the event of the move."""
    folder = shutil.copytree(demonstrated[0], tmp_path / "still")
    monkeypatch.setenv("CDP_SYNC_DATA", str(folder / "data"))
    files = folder / "data" / "sandbox" / "sftp"
    assert first_order_is_noticed(files, load_declarations())
    with Warehouse(folder / "data" / "warehouse.duckdb").open("write") as session:
        session.execute("delete from warehouse.event_stage_changed where from_stage = 'fresh' and to_stage = 'buyer'")
    assert not first_order_is_noticed(files, load_declarations())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demonstration_notices_missing_messages(
    demonstrated: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checks of scores, responses and analytics hold after it, and fail where some of the messages are missing."""
    folder = shutil.copytree(demonstrated[0], tmp_path / "missing")
    monkeypatch.setenv("CDP_SYNC_DATA", str(folder / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "data" / "dagster"))
    files = folder / "data" / "sandbox" / "sftp"
    declarations = load_declarations()
    assert keen_readers_open_more(files, declarations)
    assert responses_agree(files)
    assert figures_agree(files, declarations)
    with Warehouse(folder / "data" / "warehouse.duckdb").open("write") as session:
        session.execute(
            "delete from warehouse.event_email_delivered where profile_id = (select min(profile_id) from "
            "warehouse.event_email_delivered)"
        )
    assert not keen_readers_open_more(files, declarations)
    assert not figures_agree(files, declarations)
    exported = max((files / "spotler" / "outbox").glob("responses_*.csv"))
    exported.write_text("".join(exported.read_text().splitlines(keepends=True)[:-5]))
    assert not responses_agree(files)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_only_files_like_the_learned_one_landed(demonstrated: tuple[Path, dict[str, str]]) -> None:
    """One run of the exchange failed, because of the other columns; all contacts have the values of their rows."""
    with Warehouse(demonstrated[0] / "data" / "warehouse.duckdb").open("read") as session:
        runs = session.rows(CONTACTS)
        landed = session.rows("select email, first_name, city, birthday::text from warehouse.live_profile")
    assert [(state, read) for state, read, _ in runs] == [("success", 7), ("failed", 0), ("success", 7)]
    assert "one column is new: 'Town'" in runs[1][-1]
    assert set(Contacts().values) <= set(landed)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_second_demonstration_continues(demonstrated: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """A second demonstration continues: it keeps earlier corrections and delivers the file of another day.

    Iterable has the purchases of the first one, corrected as they are here.
    """
    folder = shutil.copytree(demonstrated[0], tmp_path / "again")
    done = subprocess.run(
        [sys.executable, "-m", "cdp_sync.cli", "demo"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("CDP_SYNC_SANDBOX")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("2. One file")[:2]
    assert "1. An earlier demonstration has imported these files" in first
    assert "imported " not in first.split("files", 1)[1]
    assert "An earlier demonstration unmerged them." in first
    assert "Nobody is greeted twice" in first
    assert "The customer is in this segment, and is not greeted any more." in second
    assert "contacts_3.csv: read 7, new 4, changed 1," in second
    assert "All 10 contacts are there, each with the values of its row." in second
    assert "2 profiles would be merged by email, but were decided to stay apart." in second
    assert "They are two profiles, each with the values of its own rows." in second
    assert "The first files arrive" not in done.stdout
    assert "customers_2026-01-08.csv  imported" in second
    (order,) = [line.split() for line in done.stdout.splitlines() if line.startswith("  order A-9001 ")]
    assert order == ["order", "A-9001", *["19.90:", "1", "Tea,", "4", "Cup"] * 2]
