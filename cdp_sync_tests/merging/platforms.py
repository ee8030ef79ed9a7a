"""Users and lists of sandboxes on loopback, and exports of a warehouse with merged profiles to them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from cdp_sync.connectors.iterable.audience import IterableAudience
from cdp_sync.connectors.iterable.goals import IterableProject
from cdp_sync.connectors.sailthru.audience import SailthruAudience
from cdp_sync.exporting import UserRun, export_users
from cdp_sync.exporting.audiences.port import Audience
from cdp_sync.model import AudienceGoal, ExportReport
from cdp_sync.model.audience import Users
from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync_tests.iterable.exchange import client, iterable
from cdp_sync_tests.iterable.exporting import audience
from cdp_sync_tests.merging.merge_side import MergeSide
from cdp_sync_tests.sailthru.exchange import client_without_pauses, sailthru, users_goal

PlatformName = Literal["Sailthru", "Iterable"]

LIST = "News"


@dataclass
class Platform(ABC):
    """A platform with one list, to which an export goal brings the profiles of a warehouse."""

    side: MergeSide
    declared: dict[str, Any] = field(default_factory=dict)
    """What the goal declares beside the usual."""
    removed: list[str] = field(default_factory=list)
    """Ids of the users that the last export took off the list."""

    def export(self) -> ExportReport:
        """Export everybody with name and total; users on the list leave with their profiles."""
        self.removed.clear()
        columns = [{"field": name, "property": name} for name in ("name", "total")]
        usual = {"lists": [LIST], "remove_from_lists": True, "map": columns}
        report = self._export(usual | self.declared)
        assert report.counters.add_up
        return report

    def run(self, goal: AudienceGoal, now: float) -> UserRun:
        """Return the next run."""
        self.side.runs += 1
        own = self.side.folder / f"export{self.side.runs}"
        own.mkdir()
        return UserRun(
            run_id=own.name,
            connection="crm",
            goal=goal,
            profiles=self.side.declared,
            objectives=(),
            warehouse=self.side.warehouse,
            staging=own / "staging.duckdb",
            folder=own / "files",
            now=datetime.fromtimestamp(now, UTC),
        )

    def noting(self, audience: Audience) -> Audience:
        """Return an audience that notes who is taken off the list."""
        remove = audience.remove

        def noted(users: Users) -> None:
            self.removed += [str(body["id"]) for _, body in users]
            remove(users)

        audience.remove = noted  # type: ignore[method-assign]  # of this object alone
        return audience

    @abstractmethod
    def _export(self, declared: dict[str, Any]) -> ExportReport: ...

    @abstractmethod
    def members(self) -> dict[str, dict[str, Any]]:
        """Return the fields of the users on the list, by the name in their address."""

    @abstractmethod
    def names_removed(self) -> list[str]:
        """Return the names of the users that the last export took off the list."""


@dataclass
class Iterable(Platform):
    """An Iterable sandbox, whose users are known by address."""

    box: IterableSandbox = None  # type: ignore[assignment]  # always given

    def _export(self, declared: dict[str, Any]) -> ExportReport:
        self.box.clock.advance(3600)
        goal = audience(**declared)
        project = IterableProject(api_key_env="KEY", project_type="email", base_url=self.box.url)
        with client(project, wait=self.box.clock.advance) as calling:
            return export_users(self.run(goal, self.box.clock()), self.noting(IterableAudience(calling, goal)))

    def members(self) -> dict[str, dict[str, Any]]:
        """Return the fields of the users on the list, by the name in their address."""
        found = [each for each in self.box.project.lists.values() if each.name == LIST]
        return {named(user.email): dict(user.fields) for each in found for user in each.members.values()}

    def names_removed(self) -> list[str]:
        """Return the names of the users that the last export took off the list."""
        return sorted(named(each) for each in self.removed)


@dataclass
class Sailthru(Platform):
    """A Sailthru sandbox, whose users are known by an id of its own."""

    box: SailthruSandbox = None  # type: ignore[assignment]  # always given

    def _export(self, declared: dict[str, Any]) -> ExportReport:
        self.box.clock.advance(3600)
        goal = users_goal(decimals="number", **declared)
        with client_without_pauses(self.box.url) as calling:
            return export_users(self.run(goal, self.box.clock()), self.noting(SailthruAudience(calling, goal)))

    def members(self) -> dict[str, dict[str, Any]]:
        """Return the fields of the users on the list, by the name in their address."""
        found = self.box.account.lists.get(LIST)
        return {named(user.email): dict(user.vars) for user in found.members.values()} if found else {}

    def names_removed(self) -> list[str]:
        """Return the names of the users that the last export took off the list."""
        return sorted(named(self.box.account.users[each].email) for each in self.removed)


def named(address: str | None) -> str:
    """Return the name in an address."""
    return str(address).partition("@")[0]


@contextmanager
def platform(name: PlatformName, side: MergeSide) -> Iterator[Platform]:
    """Serve a platform without users, whose clock stands still between exports."""
    if name == "Sailthru":
        with sailthru() as box:
            yield Sailthru(side, box=box)
    else:
        with iterable() as served:
            yield Iterable(side, box=served)
