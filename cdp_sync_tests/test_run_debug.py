"""`cdp-sync run --debug`: the steps of the SQL plan, with rows and seconds."""

import json
import re

from cdp_sync_tests.projects import Project
from cdp_sync_tests.test_cli import FIRST, cdp_sync, history, shop

__all__ = ["history", "shop"]

STEP = re.compile(r" +\d+\.\d{3} s +(view|[\d,]+)  ([\w.]+)")


def test_debug_shows_each_step(shop: Project) -> None:
    """With `--debug` each step is a line on standard error, by its table; standard output is unchanged."""
    done = cdp_sync("run", "shop", "--debug", "--json")
    steps = [found.groups() for line in done.stderr.splitlines() if (found := STEP.fullmatch(line))]
    rows = {table: count for count, table in steps}
    names = [table for _, table in steps]
    assert json.loads(done.stdout)["state"] == "success"
    assert rows["staging.staged"] == rows["staging.assigned"] == str(len(FIRST.splitlines()) - 1)
    assert rows["staging.fresh"] == "view"
    assert names.index("staging.staged") < names.index("staging.assigned") < names.index("warehouse.profile")


def test_values_are_not_shown(shop: Project) -> None:
    """A step's line holds no value of a row."""
    assert "Ada" not in cdp_sync("run", "shop", "--debug").stderr


def test_no_steps_are_shown_without_debug(shop: Project) -> None:
    """Without `--debug` standard error has no steps."""
    assert not any(STEP.fullmatch(line) for line in cdp_sync("run", "shop").stderr.splitlines())
