"""Which warehouse the runs of a project use, and whether a run may use it.

Where Dagster's history or the warehouse lies on a database server, several machines share it: then history and
warehouse name each other, from the first run on, and a run on a machine with another warehouse, or of another project,
is refused.
Where both lie in files, one machine has them, and every data folder may be used.
"""

import json
from dataclasses import asdict, dataclass, field
from uuid import uuid4

import dagster as dg

from cdp_sync.calling import call
from cdp_sync.errors import RunGivenUp, WrongWarehouse
from cdp_sync.orchestration.dagster_internals import history_place, is_on_a_server, note, note_of, note_once
from cdp_sync.orchestration.runs.versions import compare_versions
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.backend import Access, Identity, give_to, identity_of

_HISTORY, _WAREHOUSE = "cdp_sync/history", "cdp_sync/warehouse"
"""What the history notes: its own identity, and which warehouse is the project's."""


@dataclass(frozen=True)
class NotedWarehouse:
    """The warehouse that a history names."""

    warehouse_id: str
    place: str
    """Where it lay when it was noted, for people."""

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "NotedWarehouse | None":
        """Return what a note says; None where there is none."""
        return cls(**json.loads(text)) if text else None


@dataclass
class Admission:
    """Decides for a run whether it may use a warehouse: the guard of that warehouse.

    Args:
        instance: Has the history.
        run: The run.
    """

    instance: dg.DagsterInstance
    run: dg.DagsterRun
    _done: bool = field(default=False, init=False)
    """Whether nothing is left to be compared: what was found right stays so for the run."""
    _exists: bool = field(default=True, init=False)

    def before(self, warehouse: Warehouse, access: Access) -> None:
        """Refuse a run of another version, and a machine without the project's warehouse.

        Raises:
            WrongVersion: Other versions queued the run.
            WrongWarehouse: A new warehouse would be made beside the one that is noted.
        """
        self._done = self._done or not _is_shared(self.instance, warehouse)
        if not self._done:
            compare_versions(self.run)
            self._exists = warehouse.exists()
            noted = NotedWarehouse.read(note_of(self.instance, _WAREHOUSE))
            if noted and not self._exists:
                raise _another_warehouse(self.instance, f"There is no warehouse in {warehouse.place}.", noted)

    def after(self, warehouse: Warehouse, session: Session, access: Access) -> None:
        """Refuse to write for a run that has been ended, and a warehouse that is not the one that is noted.

        The first time, the warehouse is noted.

        Raises:
            RunGivenUp: The run is to write, and has been ended.
            WrongWarehouse: The warehouse is another one than is noted, or another project's.
        """
        if access == "write":  # nobody else writes from here on
            ensure_under_way(self.instance, self.run.run_id)
        if self._done or not (self._exists or access == "write"):
            return
        found = identity_of(session)
        _compare_history(self.instance, warehouse, found)
        this = NotedWarehouse(found.warehouse_id, warehouse.place)
        noted = NotedWarehouse.read(note_once(self.instance, _WAREHOUSE, str(this))) or this
        _compare_warehouse(self.instance, warehouse, found, noted)
        if access == "write" and not found.history_id:
            give_to(session, history_id(self.instance), history_place(self.instance))
        self._done = access == "write" or bool(found.history_id)


def verify_own_warehouse(instance: dg.DagsterInstance, warehouse: Warehouse) -> None:
    """Make sure that the warehouse of this machine is the one that the history notes, where it notes one.

    Raises:
        WrongWarehouse: There is none, it is another one, or another project's.
        CdpSyncError: It cannot be opened.
    """
    noted = NotedWarehouse.read(note_of(instance, _WAREHOUSE)) if _is_shared(instance, warehouse) else None
    if noted is None:
        return
    if not warehouse.exists():
        raise _another_warehouse(instance, f"There is no warehouse in {warehouse.place}.", noted)
    with warehouse.open("read") as session:
        found = identity_of(session)
    _compare_history(instance, warehouse, found)
    _compare_warehouse(instance, warehouse, found, noted)


def _compare_history(instance: dg.DagsterInstance, warehouse: Warehouse, found: Identity) -> None:
    if found.history_id not in ("", history_id(instance)):
        raise _of_another_project(instance, warehouse.place, found)


def _compare_warehouse(
    instance: dg.DagsterInstance, warehouse: Warehouse, found: Identity, noted: NotedWarehouse
) -> None:
    if noted.warehouse_id != found.warehouse_id:
        raise _another_warehouse(instance, f"The warehouse in {warehouse.place} is another one.", noted)


def _is_shared(instance: dg.DagsterInstance, warehouse: Warehouse) -> bool:
    """Return whether runs of several machines may have this history, or this warehouse."""
    return warehouse.is_shared or is_on_a_server(instance)


def ensure_under_way(instance: dg.DagsterInstance, run_id: str) -> None:
    """Make sure that nobody has ended a run whose steps are executed.

    Raises:
        RunGivenUp: Somebody has.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        raise RunGivenUp(
            f"Run {run_id} was ended while its process did not answer, or by hand.",
            needed="Only a run that is under way may write to the warehouse.",
            remedy="Look for a later run of the same connection; without one, run it again.",
        )


def history_id(instance: dg.DagsterInstance) -> str:
    """Return the identity of a history, which is made the first time."""
    return note_once(instance, _HISTORY, str(uuid4()))


@dataclass(frozen=True)
class Accepted:
    """The warehouse that is the project's from now on, and what was noted before."""

    place: str
    history: str
    """Where the project's history lies; empty where both lie in files, and every warehouse may be used."""
    former_place: str = ""
    """Where the former warehouse lay, if it was another one."""
    former_history: str = ""
    """Where the history lay that the warehouse belonged to, if it was another one."""

    @property
    def message(self) -> str:
        """What has changed."""
        if not self.history:
            return (
                "History and warehouse lie in files of this machine: its runs may use any warehouse. Nothing changed."
            )
        former = f" Before, it was {self.former_place}." if self.former_place else ""
        taken = f" It belonged to the project whose history is in {self.former_history}." if self.former_history else ""
        return f"The runs of the project whose history is in {self.history} use {self.place}.{former}{taken}"


def accept_warehouse(instance: dg.DagsterInstance, warehouse: Warehouse) -> Accepted:
    """Make a warehouse the project's, whatever the history and the warehouse have noted.

    Raises:
        CdpSyncError: The warehouse cannot be opened.
    """
    if not _is_shared(instance, warehouse):
        return Accepted(warehouse.place, "")
    own, history = history_id(instance), history_place(instance)
    with warehouse.open("write") as session:
        found = identity_of(session)
        give_to(session, own, history)
    former = NotedWarehouse.read(note_of(instance, _WAREHOUSE))
    note(instance, _WAREHOUSE, str(NotedWarehouse(found.warehouse_id, warehouse.place)))
    moved = former is not None and former.warehouse_id != found.warehouse_id
    return Accepted(
        warehouse.place,
        history,
        former.place if former and moved else "",
        found.history_place if found.history_id != own else "",
    )


def _another_warehouse(instance: dg.DagsterInstance, found: str, noted: NotedWarehouse) -> WrongWarehouse:
    return WrongWarehouse(
        found,
        needed=f"The runs of this project use {noted.place}, as its history in {history_place(instance)} notes.",
        remedy=(
            "Correct CDP_SYNC_DATA, or CDP_SYNC_WAREHOUSE, of this machine. If the project is to use another warehouse "
            f"from now on, run `{call('accept-warehouse')}` once where it is."
        ),
    )


def _of_another_project(instance: dg.DagsterInstance, place: str, found: Identity) -> WrongWarehouse:
    return WrongWarehouse(
        f"The warehouse in {place} belongs to the project whose history is in {found.history_place}.",
        needed=f"The history of this project is in {history_place(instance)}.",
        remedy=(
            "Give each project a warehouse of its own. If this history takes the place of the former one, "
            f"run `{call('accept-warehouse')}` once."
        ),
    )
