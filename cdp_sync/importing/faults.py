"""The rows that a strict import refused, as a file of the import's own shape: corrected, it can be imported.

It has the columns of the file that was learned, the goal's separator and encoding, and the cells as they were
delivered. Where a file has malformed lines, which stay as they are, the columns stand in the order of that file. A
refused row is one that did not land, or of which a value did not; of people without consent there is none.

The files are written before the import is committed, with an index beside them that stays until they are reported:
where a process is killed in between, a later run reports them, if the import was committed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cdp_sync.errors import NO_ROOM, DiskFull, Terminal
from cdp_sync.importing.run import ImportRun
from cdp_sync.model import Format
from cdp_sync.model.expected_file import FAULTS, FAULTS_INDEX
from cdp_sync.private import private_folder, write_private
from cdp_sync.warehouse import Session

Faults = dict[str, tuple[Path, int]]
"""Faults files and how many rows each has, by the path of the file whose rows they are."""

_LONGEST_NAME = 180
"""Bytes of a file's name that its faults file has: what is added has to fit into the 255 of most systems."""

_REFUSED = """
with refused as (
    select row from staging.set_aside
    union
    select row from staging.assigned where profile_id is null and outcome not in ('applied', 'without_consent')
    union
    select fresh.row from staging.fresh fresh join staging.assigned assigned using (row)
    where fresh.invalid is not null and assigned.outcome <> 'without_consent'
)
select file.path, staged.source_cells
from staging.staged staged
join staging.file file using (file)
where file.state = 'staged' and staged.filtered = 0 and staged.source_cells is not null
    and staged.rowid in (select row from refused)
order by file.file, staged.rowid"""

_REJECTED = """
select file.path, rejected.raw, part.columns
from staging.rejected rejected
join staging.file file using (file)
join staging.part part using (part)
where file.state = 'staged'
order by file.file, part.part, rejected.line"""


def write_faults(session: Session, run: ImportRun, folder: Path) -> Faults:
    """Write the refused rows of each file of a run that landed, and the index of these faults files; return them.

    Raises:
        DiskFull: There is no room for them.
        Terminal: They cannot be written for another reason.
    """
    form, found = run.goal.format, _lines_of(session, run)
    try:
        private_folder(folder)
        written = {path: (_write(folder, path, lines, form), len(lines) - 1) for path, lines in found.items()}
        index = {path: (file.name, rows) for path, (file, rows) in written.items()}
        write_private(folder / FAULTS_INDEX, json.dumps(index))
    except OSError as problem:
        kind = DiskFull if problem.errno in NO_ROOM else Terminal
        raise kind(
            f"The refused rows cannot be written to {folder}: {problem.strerror or 'the disk failed'}.",
            remedy="Make room in the data folder, or correct its permissions, and run again. Nothing has landed.",
        ) from problem
    return written


def _lines_of(session: Session, run: ImportRun) -> Mapping[str, Sequence[str]]:
    """Return the header and the refused rows by file: first those whose cells are known, then malformed lines."""
    form, learned = run.goal.format, run.goal.expected.columns if run.goal.expected else ()
    rejected: dict[str, list[str]] = {}
    orders: dict[str, Sequence[str]] = {}
    for path, raw, columns in session.rows(_REJECTED):
        rejected.setdefault(path, []).append(raw)
        orders.setdefault(path, columns)
    found: dict[str, list[str]] = {}
    for path, cells in session.rows(_REFUSED):
        cell = dict(zip(learned, cells, strict=True))
        found.setdefault(path, []).append(_record([cell[name] for name in orders.get(path, learned)], form))
    return {
        path: [_record(orders.get(path, learned), form), *found.get(path, ()), *rejected.get(path, ())]
        for path in {**found, **rejected}
    }


def unreported_faults(folder: Path) -> Faults:
    """Return the faults files in a folder, which are not reported yet."""
    try:
        index = json.loads((folder / FAULTS_INDEX).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # it breaks off where the process was killed before the import landed
        return {}
    return {path: (folder / name, rows) for path, (name, rows) in index.items()}


def note_reported(folder: Path) -> None:
    """Note that the faults files in a folder are reported. The folder goes where none stays in it. Idempotent."""
    (folder / FAULTS_INDEX).unlink(missing_ok=True)
    with suppress(OSError):  # it holds files that stay here, or does not exist
        folder.rmdir()


def _write(folder: Path, path: str, lines: Sequence[str], form: Format) -> Path:
    target = folder / f"{_base_of(path)}{FAULTS}"
    write_private(target, "")
    every = [*[""] * form.skip_rows, *lines]
    target.write_bytes("".join(f"{line}\r\n" for line in every).encode(form.encoding, "replace"))
    return target


def _record(cells: Iterable[str | None], form: Format) -> str:
    return form.separator.join(_cell(cell or "", form) for cell in cells)


def _cell(cell: str, form: Format) -> str:
    """Return a cell as the goal reads it: quoted where it holds what separates cells or rows."""
    quote = form.quote
    if form.escape:
        cell = cell.replace("\\", "\\\\")
    if form.escape and not quote:
        for sign, escaped in ((form.separator, "\\" + form.separator), ("\r", "\\r"), ("\n", "\\n")):
            cell = cell.replace(sign, escaped)
    begins_comment = form.comment is not None and cell.startswith(form.comment)
    needs_quotes = (
        begins_comment or cell != cell.strip() or not set(cell).isdisjoint({*form.separator, "\r", "\n", quote})
    )
    return f"{quote}{cell.replace(quote, quote * 2)}{quote}" if quote and needs_quotes else cell


def name_of(path: str, run_id: str) -> str:
    """Return the name of a faults file on a server, which no other run gives."""
    return f"{run_id[:8]}_{_base_of(path)}{FAULTS}"


def _base_of(path: str) -> str:
    """Return the name of a file without the ending of faults files; of a long one its beginning and a digest."""
    name = path.rpartition("/")[2].removesuffix(FAULTS)
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= _LONGEST_NAME:
        return name
    return f"{data[:_LONGEST_NAME].decode('utf-8', 'ignore')}-{hashlib.sha256(data).hexdigest()[:8]}"
