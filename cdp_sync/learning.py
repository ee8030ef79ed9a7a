"""Learns from a file what a strict import expects of all: columns, type, separator, and where cells may be empty."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cdp_sync.errors import FileRejected, UnknownName
from cdp_sync.importing.converting.cell import strip
from cdp_sync.importing.reading.csv_header import check_columns
from cdp_sync.importing.reading.normalize import NormalizedPart, beginning_of
from cdp_sync.importing.reading.readers import READERS
from cdp_sync.importing.sources.archives import Part, unpack
from cdp_sync.importing.staging.plan import read_part
from cdp_sync.model import ImportGoal
from cdp_sync.model.expected_file import LearnedFile, type_of
from cdp_sync.model.suggestion import one_of
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declarations import Declarations
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.learned import keep_learned


@dataclass(frozen=True)
class Learned:
    """What was learned for a goal."""

    connection: str
    goal: str
    file: LearnedFile

    def to_json(self) -> dict[str, Any]:
        """Return it as `learn --json` shows it."""
        return {"connection": self.connection, "goal": self.goal, **self.file.model_dump(mode="json")}


def learn(
    declarations: Declarations, connection: str, goal: str | None, file: Path, may_be_empty: Iterable[str]
) -> Learned:
    """Learn a file of this machine for a strict goal, in place of what the goal had learned.

    Raises:
        UnknownName: The connection has no such goal, or several and none is named; or no column of that name.
        FileRejected: The file cannot be imported by the goal as it is declared.
    """
    declared = declarations.connection(connection)
    goals = [each.importing(declared, declarations.profiles) for each in declared.imports]
    strict = [each for each in goals if each.expected and goal in (None, each.name)]
    if len(strict) != 1:
        names = [each.name for each in goals if each.expected]
        found = f"{connection} has {len(names)} strict imports" if goal is None else f"{goal!r} is no strict import"
        raise UnknownName(f"{found}.", needed=one_of(goal or "", names), remedy="Name one with --goal.")
    warehouse = project_warehouse()
    learned = read_learned(warehouse, strict[0], file, tuple(may_be_empty))
    with warehouse.open("write") as session:
        keep_learned(session, connection, strict[0].name, learned, datetime.now(UTC))
    return Learned(connection, strict[0].name, learned)


def read_learned(warehouse: Warehouse, goal: ImportGoal, file: Path, may_be_empty: tuple[str, ...]) -> LearnedFile:
    """Return what is to be learned of a file; errors as of `learn`."""
    with TemporaryDirectory() as folder, warehouse.open("none") as session:
        part = next(unpack(str(file), file, Path(folder), goal), None)
        landed = READERS["csv"].normalize(session, part, goal, Path(folder), ()) if part else None
        if part is None or landed is None:
            raise FileRejected("The file is empty.", needed="A file with a header and rows is needed.")
        text = "" if goal.format.is_workbook else beginning_of(landed.local)[0]
        check_columns(landed.head, goal.model_copy(update={"processors": ()}), text)
        columns = landed.head.columns
        if "" in columns or len(set(columns)) < len(columns):
            raise FileRejected("Not every column has a name of its own.", remedy="Have the header corrected.")
        if unknown := [name for name in may_be_empty if name not in columns]:
            raise UnknownName(f"The file has no column {unknown[0]!r}.", needed=one_of(unknown[0], columns))
        empty = {*may_be_empty, *_with_empty_cells(session, part, landed, goal)}
    return LearnedFile(
        columns=columns,
        type=type_of(part.name, goal.format),
        separator=goal.format.separator,
        may_be_empty=tuple(name for name in columns if name in empty),
    )


def _with_empty_cells(session: Session, part: Part, landed: NormalizedPart, goal: ImportGoal) -> list[str]:
    """Return the columns in which a row has no value: all of them where the file has no row."""
    if not landed.survey.regular:
        READERS[landed.reader].read(session, landed, goal.format)
    relation, values = read_part(landed, goal.format)
    cells = [f"c{number}" for number, _ in enumerate(landed.head.columns, 1)]
    counted = ", ".join(f"coalesce(bool_or(coalesce({strip(cell)}, '') = ''), true)" for cell in cells)
    found = session.row(f"select {counted} from {relation}", values)
    return [name for name, is_empty in zip(landed.head.columns, found, strict=True) if is_empty]
