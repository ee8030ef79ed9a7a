"""What a dump holds: tables with their columns, counts and digests. Written last: without it, no dump is whole."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cdp_sync.errors import DumpUnusable
from cdp_sync.private import write_private

_FILE: Final = "manifest.json"
_FORMAT: Final = 1


@dataclass(frozen=True)
class Table:
    """A table of a dump: its rows stand in `NAME.parquet`."""

    name: str
    columns: Mapping[str, str]
    """Their SQL types, in order."""
    rows: int
    digest: str

    def file(self, folder: Path) -> Path:
        """Return the file of its rows."""
        return file_of(folder, self.name)


@dataclass(frozen=True)
class Manifest:
    """The tables of a dump, and the version of the warehouse that it was made of."""

    version: int
    tables: tuple[Table, ...]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"version": self.version, "rows": self.rows, "tables": [asdict(table) for table in self.tables]}

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        unfinished = folder / f"{_FILE}.new"
        write_private(unfinished, json.dumps({"format": _FORMAT, **self.to_json()}, indent=1) + "\n")
        unfinished.replace(folder / _FILE)


def file_of(folder: Path, table: str) -> Path:
    """Return the file of a table's rows in a dump."""
    return folder / f"{table}.parquet"


def read_manifest(folder: Path) -> Manifest:
    """Return what a dump holds.

    Raises:
        DumpUnusable: It is none, or was not finished.
    """
    try:
        found = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        if found["format"] != _FORMAT:
            raise _unusable(folder, f"its manifest has the format {found['format']!r}")
        tables = tuple(_table(each) for each in found["tables"])
        return Manifest(int(found["version"]), tables)
    except FileNotFoundError:
        raise _unusable(folder, f"it has no {_FILE}, which is written last") from None
    except OSError as error:
        raise _unusable(folder, f"its {_FILE} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, LookupError) as error:
        raise _unusable(folder, f"its {_FILE} is damaged") from error


def _table(found: Mapping[str, Any]) -> Table:
    name, columns = str(found["name"]), {str(column): str(kind) for column, kind in found["columns"].items()}
    if not re.fullmatch(r"\w+", name) or not columns:
        raise ValueError(name)
    return Table(name, columns, int(found["rows"]), str(found["digest"]))


def _unusable(folder: Path, why: str) -> DumpUnusable:
    return DumpUnusable(
        f"{folder} is no dump that can be restored: {why}.",
        needed="Needed is a folder that `cdp-sync warehouse dump` has written to its end.",
        remedy="Dump the warehouse again.",
    )
