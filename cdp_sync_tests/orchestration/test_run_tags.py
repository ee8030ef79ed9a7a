"""What runs are tagged with when they are queued, however they were started."""

from typing import Any

import dagster as dg
import pytest

from cdp_sync.orchestration.runs.recovery import Process
from cdp_sync.orchestration.runs.run_tags import FORMER_PROCESS, MAILED, PROCESS, tags_to_queue

GOAL, FILES = dg.AssetKey(["shop", "customers"]), dg.AssetKey(["shop", "customers", "files"])


def run(*assets: dg.AssetKey, parent: str | None = None, **tags: str) -> dg.DagsterRun:
    """Return a run that is to be queued."""
    return dg.DagsterRun(
        job_name="any", asset_selection=frozenset(assets) or None, tags=tags, parent_run_id=parent, root_run_id=parent
    )


@pytest.mark.parametrize(
    ("queued", "expected"),
    [
        (run(GOAL), {"connection": "shop", "reason": "by hand"}),
        (run(GOAL, dg.AssetKey(["segments", "all"])), {"connection": "shop", "reason": "by hand"}),
        (run(FILES, **{"dagster/backfill": "b1"}), {"connection": "shop", "reason": "backfill"}),
        (run(FILES, **{"dagster/partition": "a.csv"}), {"connection": "shop", "reason": "backfill"}),
        (run(connection="shop"), {"reason": "by hand"}),
        (run(connection="shop", reason="schedule"), {}),
        (run(connection="shop", **{"dagster/sensor_name": "shop_new_files"}), {"reason": "new files"}),
        (run(GOAL, dg.AssetKey(["other", "orders"])), {"reason": "by hand"}),
        (run(dg.AssetKey(["segments", "all"]), dg.AssetKey(["profiles"])), {}),
        (run(), {}),
    ],
)
def test_a_run_says_whose_it_is_and_why(queued: dg.DagsterRun, expected: dict[str, Any]) -> None:
    """By its tags, or by what it is to make; what is of no connection gets none."""
    assert tags_to_queue(queued) == expected


def test_a_run_that_is_launched_again_forgets_what_was_noted_on_the_one_before() -> None:
    """Else it would count as killed, for that one's process is gone, and nobody would get mail about it."""
    noted = {PROCESS: "vm:1:x.1", FORMER_PROCESS: "vm:1:x.1", MAILED: "sent"}
    again = run(parent="before", connection="shop", reason="schedule", **noted)
    tags = tags_to_queue(again)
    assert tags == {"reason": "by hand", PROCESS: "", FORMER_PROCESS: "", MAILED: ""}
    assert Process.of(again.with_tags({**again.tags, **tags})) is None
