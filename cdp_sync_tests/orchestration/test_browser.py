"""The UI in a real browser: what operators click, and what they then see.

The folder that `CDP_SYNC_SCREENSHOTS` names gets a screenshot of every page.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_sync_tests.orchestration.daemon import Ui, dagster_dev
from cdp_sync_tests.projects import SPENDERS, Project, goal

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium")
_PATIENCE = 120_000
_ALONE = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
FIRST = "Email,FirstName,Total\nada@example.com,Ada,1.5\nbob@example.com,Bob,x\n"
SECOND = "Email,FirstName,Total\nada@example.com,Adelheid,2\ncleo@example.com,Cleo,3\n,Nobody,1\n"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def page() -> Iterator["Page"]:
    """A window of a browser."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=_ALONE)
        window = browser.new_page(viewport={"width": 1440, "height": 1000})
        window.set_default_timeout(_PATIENCE)
        yield window
        browser.close()


def keep(page: "Page", name: str, folder: Path) -> None:
    """Save a screenshot of the page."""
    kept = Path(os.environ.get("CDP_SYNC_SCREENSHOTS") or folder)
    kept.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=kept / f"{name}.png")


def test_a_job_and_a_backfill_are_launched(project: Project, page: "Page", tmp_path: Path) -> None:
    """The job's page launches a run, the goal's page shows its result, the files' page completes a backfill."""
    project.connect("shop", goal(title="Customers of the web shop"), title="Web shop nightly files")
    project.deliver("/inbox/customers_1.csv", FIRST)
    project.deliver("/inbox/customers_2.csv", SECOND, minutes=1)
    with dagster_dev(project) as ui:
        _run_the_job(ui, page, tmp_path)
        _look_at_the_goal(ui, page, tmp_path)
        _backfill_a_file(ui, page, tmp_path)


def test_problems_are_shown(project: Project, page: "Page", tmp_path: Path) -> None:
    """The checks show the quarantine, also after a failed run; the run's page shows the reason of the failure."""
    project.describe(segments=[SPENDERS])
    project.connect("shop", goal())
    project.deliver("/inbox/customers_1.csv", FIRST)
    with dagster_dev(project) as ui:
        ui.ended(ui.launch("shop_sync"))
        project.deliver("/inbox/customers_2.csv", SECOND, minutes=1)
        ui.ended(ui.launch("shop_sync"))
        (project.root / "inbox").rename(project.root / "moved")
        failed = ui.launch("shop_sync")
        ui.ended(failed, "FAILURE")
        _look_at_the_failed_run(ui, failed, page, tmp_path)
        _nothing_is_cut_off(ui, page, tmp_path)
        _look_at_the_checks(ui, page, tmp_path)
        _look_at_the_profiles(ui, page, tmp_path)


def _look_at_the_failed_run(ui: Ui, run_id: str, page: "Page", folder: Path) -> None:
    page.goto(f"{ui.url}/runs/{run_id}")
    page.get_by_text("RUN_FAILURE").wait_for()
    page.get_by_text("There is no '/inbox' on 127.0.0.1").last.wait_for()
    assert not page.get_by_text("Not executing").count()
    keep(page, "failed run", folder)
    page.goto(f"{ui.url}/runs")
    page.get_by_text("reason: by hand").first.wait_for()
    assert not page.get_by_text("process").count()
    keep(page, "runs after a failure", folder)


def _nothing_is_cut_off(ui: Ui, page: "Page", folder: Path) -> None:
    """Assert that the table of a goal's metadata is no wider than the page."""
    page.goto(f"{ui.url}/assets/shop/customers")
    page.get_by_text("3 read: 2 applied, 1 without identifier").wait_for()
    table = page.get_by_text("last profiles").locator("xpath=ancestor::table[1]")
    assert table.evaluate("table => table.offsetWidth <= table.parentElement.clientWidth")
    keep(page, "goal after a failure", folder)


def _look_at_the_checks(ui: Ui, page: "Page", folder: Path) -> None:
    page.goto(f"{ui.url}/assets/shop/customers?view=checks&checkDetail=rows_without_identifier")
    page.get_by_text("1 row without identifier.").wait_for()
    for text in ("/inbox/customers_2.csv: Email: no usable identifier", "cdp-sync quarantine shop"):
        page.get_by_text(text).wait_for()
    assert not page.get_by_text("Execution failed").count()
    keep(page, "checks", folder)


def _look_at_the_profiles(ui: Ui, page: "Page", folder: Path) -> None:
    page.goto(f"{ui.url}/assets/profiles")
    page.get_by_text("Plots").click()
    page.get_by_text("dagster/row_count").first.wait_for()
    keep(page, "profiles", folder)


def _run_the_job(ui: Ui, page: "Page", folder: Path) -> None:
    page.goto(f"{ui.url}/locations/cdp_sync.definitions/jobs/shop_sync")
    page.get_by_text(re.compile("^Materialize")).first.click()
    run = ui.next_run([], connection="shop", reason="by hand")
    page.goto(f"{ui.url}/runs/{run['runId']}")
    page.get_by_text("Success").first.wait_for()
    page.get_by_text("RUN_SUCCESS").wait_for()
    keep(page, "run", folder)


def _look_at_the_goal(ui: Ui, page: "Page", folder: Path) -> None:
    page.goto(f"{ui.url}/assets/shop/customers")
    page.get_by_text("Customers of the web shop.").wait_for()
    for text in ("customers_1.csv", "customers_2.csv", "last profiles", "quarantine", "no usable identifier"):
        page.get_by_text(text).first.wait_for(state="attached")
    for personal in ("ada@example.com", "Adelheid"):
        assert not page.get_by_text(personal).count()
    keep(page, "goal", folder)
    page.get_by_text("Plots").click()
    page.get_by_text("profiles_created").first.wait_for(state="attached")
    keep(page, "plots", folder)


def _backfill_a_file(ui: Ui, page: "Page", folder: Path) -> None:
    page.goto(f"{ui.url}/assets/shop/customers/files?view=partitions")
    page.get_by_text("Materialized (2)").wait_for()
    page.get_by_text(re.compile("^Materialize…")).click()
    page.get_by_role("button", name="All", exact=True).click()
    keep(page, "choosing files", folder)
    page.get_by_role("button", name="Launch backfill").click()
    run = ui.next_run([], connection="shop", reason="backfill")
    backfill = run["tags"]["dagster/backfill"]
    ui.wait(lambda: ui.backfill_status(backfill) == "COMPLETED_SUCCESS", "the backfill")
    page.goto(f"{ui.url}/runs/b/{backfill}")
    page.get_by_text("Completed").first.wait_for()
    keep(page, "backfill", folder)
    page.goto(f"{ui.url}/runs")
    page.get_by_text("shop_sync").first.wait_for()
    keep(page, "runs", folder)
