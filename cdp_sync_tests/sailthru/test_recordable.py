"""Users and lists change only if that can be recorded; without profiles to send nothing is verified."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp_sync.errors import DiskFull
from cdp_sync.exporting import select, select_segment, verify_recordable
from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync_tests.sailthru.exchange import Exchange, person, sailthru, users_goal


@pytest.fixture
def box() -> Iterator[SailthruSandbox]:
    """A Sailthru sandbox without users."""
    with sailthru() as served:
        yield served


@pytest.mark.parametrize(("change", "due"), [("", False), ("keen = false", True), ("text_one = 'new'", True)])
def test_profiles_to_send_are_verified(
    change: str, due: bool, box: SailthruSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without disk space only a profile that changed or left the segment fails the export."""
    goal = users_goal(segment="keen", lists=["Red"], remove_from_lists=True)
    crm = Exchange(tmp_path, goal=goal, box=box)
    crm.hold([person("ann", keen=True)])
    crm.run()
    if change:
        crm.change(f"update warehouse.profile set {change}")
    run = crm.next_run()
    counters = select_segment(run)
    verify_recordable(run, counters)
    monkeypatch.setattr(select, "_LEAST_ROOM", 1 << 60)
    if due:
        with pytest.raises(DiskFull, match="no room for"):
            verify_recordable(run, counters)
    else:
        verify_recordable(run, counters)
