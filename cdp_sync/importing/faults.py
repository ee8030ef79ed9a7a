"""The rows that a strict import refused, as a file of the import's own shape: corrected, it can be imported.

It has the columns of the file that was learned, the goal's separator and encoding, and the cells as they were
delivered. A refused row is one that did not land, or of which a value did not; of people without consent there is none.
"""

from collections.abc import Iterable
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
select file.path, staged.source_cells, null as raw
from staging.staged staged
join staging.file file using (file)
where file.state = 'staged' and staged.filtered = 0 and staged.source_cells is not null
    and staged.rowid in (select row from refused)
order by file.file, staged.rowid"""

_REJECTED = """
select file.path, null as source_cells, rejected.raw
from staging.rejected rejected
join staging.file file using (file)
where file.state = 'staged'
order by file.file, rejected.line"""


def write_faults(session: Session, run: ImportRun, folder: Path) -> dict[str, tuple[Path, int]]:
    """Write the refused rows of each file of a run that landed; return the faults file and its rows, by path."""
    found: dict[str, list[str]] = {}
    form = run.goal.format
    for path, cells, raw in (*session.rows(_REFUSED), *session.rows(_REJECTED)):
        found.setdefault(path, []).append(raw if cells is None else _record(cells, form))
    columns = run.goal.expected.columns if run.goal.expected else ()
    head = [""] * form.skip_rows + [_record(columns, form)]
    return {path: (_write(folder, path, [*head, *lines], form), len(lines)) for path, lines in found.items()}


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
    if form.escape:
        cell = cell.replace(form.escape, form.escape * 2)
    quote = form.quote
    needs_quotes = any(sign in cell for sign in (form.separator, "\r", "\n", quote or "\n")) or cell != cell.strip()
    return f"{quote}{cell.replace(quote, quote * 2)}{quote}" if quote and needs_quotes else cell


def name_of(path: str, run_id: str) -> str:
    """Return the name of a faults file on a server, which no other run gives."""
    return f"{run_id[:8]}_{path.rpartition('/')[2].removesuffix(FAULTS)}{FAULTS}"
