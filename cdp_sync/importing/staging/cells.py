"""The cells of one part of a file under the names that statements use, and the digests of rows. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from cdp_sync.importing.converting.conversion import fit
from cdp_sync.importing.reading.survey import DIVIDER, NO_CELL
from cdp_sync.model import Format, Property
from cdp_sync.warehouse import quote_literal

BETWEEN, NULL, MISSING = f"chr({ord(DIVIDER)})", f"chr({ord(NO_CELL)})", "chr(29)"
"""Between cells in a row's text, for a cell without a value, for a column that is not there."""


@dataclass(frozen=True)
class Cell:
    """A cell under the name that conversions use, and how it comes to it."""

    raw: str
    name: str
    sql: str


@dataclass(frozen=True)
class Cells:
    """The columns of one part, which the parser names c1, c2 and so on."""

    columns: Sequence[str]
    has_nul: bool = False
    constants: Mapping[str, str] = field(default_factory=dict)
    """Fields that are the same in every row, and no column."""
    steady: Mapping[str, str] = field(default_factory=dict)
    """Columns in place of those of fields that depend on the day of the run, where rows are compared."""

    def compared(self, field: str) -> str | None:
        """Return the SQL name of the cell that a row is compared by."""
        return self.steady.get(field) or self.of(field)

    def of(self, field: str) -> str | None:
        """Return the SQL name of a field's cell; None where the part has no such column."""
        if field in self.constants:
            return quote_literal(self.constants[field])
        return f"c{self.columns.index(field) + 1}" if field in self.columns else None

    def fitted(self, field: str, prop: Property, form: Format, prefix: str = "") -> "Cell | None":
        """Return a field's cell as the property wants it; None where the part has no such column.

        Its name begins with `prefix`: what two properties of one name want may differ.
        """
        raw = self.of(field)
        if raw is None:
            return None
        if field in self.constants:
            one_value = form.model_copy(update={"multi_value": None, "json_lists": False})
            return Cell(raw, f"{prefix}fit_{prop.name}", fit(prop, raw, one_value))
        sql = fit(prop, raw, form)
        return Cell(raw, raw if sql == raw else f"{prefix}fit_{raw}_{prop.name}", sql)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that have cells."""
        return (*self.columns, *self.constants)

    @property
    def types(self) -> dict[str, str]:
        """All columns as text."""
        return {f"c{number + 1}": "VARCHAR" for number in range(len(self.columns))}


def digest(fields: Sequence[str], cells: Cells) -> str:
    """Return the expression for the 128-bit digest of a row's cells; stable between versions, unlike `hash()`."""
    return f"uuid_of(md5_number({row_text(fields, cells)}))"


def row_text(fields: Sequence[str], cells: Cells) -> str:
    """Return the expression for a row's cells as one text."""
    parts = [f"coalesce({cell}, {NULL})" if (cell := cells.compared(field)) else MISSING for field in fields]
    return f"concat_ws({BETWEEN}, {', '.join(parts) or MISSING})"


def named_before(previous: Sequence[str], fields: Sequence[str], columns: Collection[str]) -> tuple[str, ...]:
    """Return where the fields that identified a file's rows in its previous import stand now.

    A field that is no column any more is the new one in its place: so its rows are known, and no sum has them twice.
    """
    if len(previous) != len(fields):
        return tuple(previous)
    pairs = zip(previous, fields, strict=True)
    return tuple(now if before not in columns and now not in previous else before for before, now in pairs)
