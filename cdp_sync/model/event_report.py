"""What a run of an export goal of events reports."""

from dataclasses import asdict, dataclass
from typing import Any

from cdp_sync.model.counting import counted
from cdp_sync.model.report import FileState, Report, RunCounters


@dataclass(frozen=True)
class EventCounters(RunCounters):
    """The ends of the events that a run looks at.

    Always: events_in_window = events_without_consent + events_without_items + events_not_deliverable + events_same +
    events_written.
    """

    events_in_window: int = 0
    """New, changed or of a day that is due; with a profile and a time."""
    events_without_consent: int = 0
    """Their profiles have not consented to an objective of the connection."""
    events_without_items: int = 0
    """They have no items, and items are rows."""
    events_not_deliverable: int = 0
    """A value that the file cannot hold; see the quarantine."""
    events_same: int = 0
    """Their rows are as this goal last delivered them, and so is their file."""
    events_written: int = 0


EVENT_COUNTERS = tuple(asdict(EventCounters()))
"""The counters' names, in order."""

EventCounters.ends = EVENT_COUNTERS[1:]


@dataclass(frozen=True)
class EventExportReport(Report):
    """What a run of one export goal of events did."""

    direction = "export"

    counters: EventCounters = EventCounters()
    files: tuple[tuple[str, int, int], ...] = ()
    """The files on the server: path, bytes and rows of each."""
    removed: tuple[str, ...] = ()
    """Files of the goal that were removed from the server, as they are kept no longer."""
    replaced: tuple[str, ...] = ()
    """Files that would have been removed, but somebody has put others in their places, which stay."""

    @property
    def delivers(self) -> bool:
        """Whether anything was delivered."""
        return bool(self.files)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an author should know."""
        return tuple(f"{path} is not the file that was delivered, so it stays." for path in self.replaced)

    def _summary(self) -> str:
        removed = f" {counted(len(self.removed), 'old file')} removed." if self.removed else ""
        return f"{self._delivered()}{removed}"

    def _delivered(self) -> str:
        counters = self.counters
        left_out = counters.in_words(name for name in counters.ends if name != "events_written")
        suffix = f" ({left_out})." if left_out else "."
        if not (self.files or counters.events_in_window):
            return "Nothing new to export."
        if not self.files:
            return f"Nothing to export: {counted(counters.events_in_window, 'event')} looked at{suffix}"
        names = [path.rpartition("/")[2] for path, *_ in self.files]
        shown = names[0] if len(names) == 1 else f"{len(names):,} files, {names[0]} to {names[-1]}"
        return f"{shown}: {counters.events_written:,} of {counted(counters.events_in_window, 'event')} written{suffix}"

    def _files(self) -> list[dict[str, Any]]:
        state = FileState.DELIVERED
        delivered = [{"path": path, "state": state, "size": size, "rows": rows} for path, size, rows in self.files]
        return [*delivered, *({"path": path, "state": FileState.REMOVED} for path in self.removed)]
