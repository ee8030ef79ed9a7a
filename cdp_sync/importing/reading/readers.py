"""The readers: each brings one format from the bytes of a part to rows of text cells, every line accounted for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cdp_sync.importing.reading.lines import LinesReader
from cdp_sync.importing.reading.ndjson import NdjsonReader
from cdp_sync.importing.reading.normalize import NormalizedPart, ReaderName, normalize
from cdp_sync.importing.reading.records import read_records
from cdp_sync.importing.sources.archives import Part
from cdp_sync.model import Format, ImportGoal
from cdp_sync.warehouse import Session


class Reader(Protocol):
    """Reads one format."""

    def normalize(
        self, session: Session, part: Part, goal: ImportGoal, folder: Path | None = None, further: Sequence[str] = ()
    ) -> NormalizedPart | None:
        """Bring a part to UTF-8 and find its columns.

        Args:
            session: The staging session.
            part: What arrived.
            goal: Whose format and fields it shall have.
            folder: Where to write; beside the part where it is not given.
            further: Fields that are needed besides those of the goal.

        Returns:
            The part to read; None for one without rows.

        Raises:
            FileRejected: It does not decode, or its columns do not fit the goal.
        """
        ...

    def read(self, session: Session, part: NormalizedPart, form: Format) -> None:
        """Make the tables of a part that is not regular, whose `n` is a line's number after the header.

        These are `physical_line(raw, …)`, `record(n, …)`, the rows in order, and `reject(n, until, in_quote, reason)`.

        Raises:
            FileRejected: The part as a whole is not what it should be.
        """
        ...


class CsvReader:
    """Reads delimited text."""

    def normalize(
        self, session: Session, part: Part, goal: ImportGoal, folder: Path | None = None, further: Sequence[str] = ()
    ) -> NormalizedPart | None:
        """Read the header and survey the rows; see `Reader`."""
        return normalize(part, goal, folder)

    def read(self, session: Session, part: NormalizedPart, form: Format) -> None:
        """Judge each line by the grammar of the format; see `Reader`."""
        read_records(session, part, form)


READERS: Mapping[ReaderName, Reader] = {"csv": CsvReader(), "ndjson": NdjsonReader(), "lines": LinesReader()}
"""The reader of each format that an arrival can name."""
