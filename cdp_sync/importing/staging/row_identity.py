"""What a row is known by, whatever became of its file: its key, and columns that were renamed."""

from collections.abc import Collection, Sequence

from cdp_sync.importing.converting.cell import strip
from cdp_sync.importing.reading.survey import DIVIDER


def key_digest(cells: Sequence[str | None]) -> str:
    """Return the expression for the digest of a row's key, null where it has no value, given the key's cells.

    White space around a key does not count, and an empty cell is the same as none, whatever `nulls` says: a key is
    compared with those of other files, which were perhaps read in another way.
    """
    parts = ", ".join(f"coalesce({strip(cell)}, '')" if cell else "''" for cell in cells)
    return f"case when concat({parts}) <> '' then md5_number(concat_ws(chr({ord(DIVIDER)}), {parts}))::uuid end"


def named_before(previous: Sequence[str], fields: Sequence[str], columns: Collection[str]) -> tuple[str, ...]:
    """Return where the fields that identified a file's rows in its previous import stand now.

    A field that is no column any more is the new one in its place: so its rows are known, and no sum has them twice.
    """
    if len(previous) != len(fields):
        return tuple(previous)
    pairs = zip(previous, fields, strict=True)
    return tuple(now if before not in columns and now not in previous else before for before, now in pairs)
