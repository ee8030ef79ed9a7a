"""How what arrives relates to what was read before: which of its rows are new."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Replace:
    """What arrives replaces the previous content of its path: a row that occurred there before is unchanged."""


@dataclass(frozen=True)
class Window:
    """Rows of a period, each with a key and a time. The periods of two reads overlap, so that late rows arrive.

    The key is the goal's `row_key`: a row whose key has brought the same content before is unchanged. The watermark is
    the highest time that was read, in UTC as 2026-01-31T12:00:00.000000Z, so that its order as text is its order in
    time. The next period begins at the watermark less the overlap, that moment included.

    Args:
        stream: The name of the watermark.
        time_field: The field with a row's time, written as the goal's format declares dates.
        overlap: How late a row may arrive.
    """

    stream: str
    time_field: str
    overlap: timedelta = timedelta()

    def since(self, watermark: str | None) -> datetime | None:
        """Return the first moment of the next period, in UTC; None where nothing was read before."""
        if watermark is None:
            return None
        return datetime.fromisoformat(watermark) - self.overlap


@dataclass(frozen=True)
class Append:
    """A text that only grows: of `stream` the lines up to the watermark, a number, are unchanged; half a line waits."""

    stream: str


Delta = Replace | Window | Append
