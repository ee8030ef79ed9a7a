"""The UI in a real browser: what operations people click, and what they then see.

Every page is kept as a picture in the folder that `CDP_SYNC_SCREENSHOTS` names, for people to look at.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_sync_tests.orchestration.daemon import Ui, dagster_dev
from cdp_sync_tests.projects import Project, goal

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
    """Keep the page as a picture."""
    kept = Path(os.environ.get("CDP_SYNC_SCREENSHOTS") or folder)
    kept.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=kept / f"{name}.png")


def test_a_person_runs_a_job_and_backfills_a_file(project: Project, page: "Page", tmp_path: Path) -> None:
    """The job's page launches a run, the goal's page shows what it did, the files' page completes a backfill."""
    project.connect("shop", goal(title="Customers of the web shop"), title="Web shop nightly files")
    project.deliver("/inbox/customers_1.csv", FIRST)
    project.deliver("/inbox/customers_2.csv", SECOND, minutes=1)
    with dagster_dev(project) as ui:
        _run_the_job(ui, page, tmp_path)
        _look_at_the_goal(ui, page, tmp_path)
        _backfill_a_file(ui, page, tmp_path)


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
    for told in ("customers_1.csv", "customers_2.csv", "last profiles", "quarantine", "no usable identifier"):
        page.get_by_text(told).first.wait_for(state="attached")
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
