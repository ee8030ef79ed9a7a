"""The rows that a strict import refused, as a file of the import's own shape: corrected, it can be imported.

It has the columns of the file that was learned, the goal's separator and encoding, and the cells as they were
delivered. Where a file has malformed lines, which stay as they are, the columns stand in the order of that file. A
refused row is one that did not land, or of which a value did not; of people without consent there is none.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from cdp_sync.importing.run import ImportRun
from cdp_sync.model import Format
from cdp_sync.model.expected_file import FAULTS
from cdp_sync.private import private_folder, write_private
from cdp_sync.warehouse import Session

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


def write_faults(session: Session, run: ImportRun, folder: Path) -> dict[str, tuple[Path, int]]:
    """Write the refused rows of each file of a run that landed; return the faults file and its rows, by path."""
    form = run.goal.format
    learned = run.goal.expected.columns if run.goal.expected else ()
    rejected: dict[str, list[str]] = {}
    orders: dict[str, Sequence[str]] = {}
    for path, raw, columns in session.rows(_REJECTED):
        rejected.setdefault(path, []).append(raw)
        orders.setdefault(path, columns)
    found: dict[str, list[str]] = {}
    for path, cells in session.rows(_REFUSED):
        cell = dict(zip(learned, cells, strict=True))
        found.setdefault(path, []).append(_record([cell[name] for name in orders.get(path, learned)], form))
    written = {}
    for path in {**found, **rejected}:
        lines = [*found.get(path, ()), *rejected.get(path, ())]
        head = [""] * form.skip_rows + [_record(orders.get(path, learned), form)]
        written[path] = _write(folder, path, [*head, *lines], form), len(lines)
    return written


def _write(folder: Path, path: str, lines: Iterable[str], form: Format) -> Path:
    name = path.rpartition("/")[2].removesuffix(FAULTS) + FAULTS
    target = private_folder(folder) / name
    write_private(target, "")
    target.write_bytes("".join(f"{line}\r\n" for line in lines).encode(form.encoding, "replace"))
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
    return f"{run_id[:8]}_{path.rpartition('/')[2].removesuffix(FAULTS)}{FAULTS}"
