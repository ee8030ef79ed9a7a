"""The tags of queued runs, for each way to start one."""

from typing import Any

import dagster as dg
import pytest

from cdp_sync.orchestration.runs.process import Process
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
def test_a_run_is_tagged_with_connection_and_cause(queued: dg.DagsterRun, expected: dict[str, Any]) -> None:
    """A run is tagged with connection and cause by its tags or assets; other runs get no tag."""
    assert tags_to_queue(queued) == expected


def test_a_re_execution_drops_recorded_tags() -> None:
    """A re-execution drops the recorded process and mail state, so that it neither counts as killed nor as reported."""
    noted = {PROCESS: "vm:1:x.1", FORMER_PROCESS: "vm:1:x.1", MAILED: "sent"}
    again = run(parent="before", connection="shop", reason="schedule", **noted)
    tags = tags_to_queue(again)
    assert tags == {"reason": "by hand", PROCESS: "", FORMER_PROCESS: "", MAILED: ""}
    assert Process.of(again.with_tags({**again.tags, **tags})) is None
