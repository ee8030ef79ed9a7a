"""Exports and imports that kill themselves, each in a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdp_sync.connectors.sailthru.audience import SailthruAudience
from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.goals import ListGoal, UserExportGoal
from cdp_sync.exporting import UserRun, export_users
from cdp_sync.importing import ImportRun
from cdp_sync_tests.sailthru.exchange import client_without_pauses, import_lists
from cdp_sync_tests.trail import victim


@dataclass(frozen=True)
class At:
    """A call at which a process kills itself."""

    endpoint: str
    method: str
    number: int = 1
    after: bool = False


Deadly = At | Mapping[str, Any]
"""A call, or a statement as in `victim.die_at`."""


def export(run: UserRun, url: str, deadly: Deadly) -> None:
    """Export, and kill the process."""
    _arm(deadly)
    with client_without_pauses(url) as client:
        assert isinstance(run.goal, UserExportGoal)
        export_users(run, SailthruAudience(client, run.goal))


def import_list(run: ImportRun, goal: ListGoal, url: str, deadly: Deadly) -> None:
    """Import, and kill the process."""
    _arm(deadly)
    import_lists(run, goal, url)


def _arm(deadly: Deadly) -> None:
    if isinstance(deadly, At):
        _die_at_call(deadly)
    else:
        victim.die_at(**deadly)


def _die_at_call(at: At) -> None:
    ask, download, seen = SailthruClient._ask, SailthruClient.download, 0

    def is_it(kind: tuple[str, str]) -> bool:
        nonlocal seen
        seen += kind == (at.endpoint, at.method)
        return kind == (at.endpoint, at.method) and seen == at.number

    def deadly(work: Any, kind: tuple[str, str], *arguments: Any) -> Any:
        dies = is_it(kind)
        if dies and not at.after:
            victim.die()
        done = work(*arguments)
        if dies:
            victim.die()
        return done

    SailthruClient._ask = lambda client, call, *more: deadly(ask, call.kind, client, call, *more)  # type: ignore[method-assign]
    SailthruClient.download = lambda client, *more: deadly(download, ("export", "GET"), client, *more)  # type: ignore[method-assign]
