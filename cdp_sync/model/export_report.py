"""What a run of an export goal reports."""

from dataclasses import dataclass
from typing import Any

from cdp_sync.model.report import Report, RunCounters
from cdp_sync.model.state import FileState


@dataclass(frozen=True)
class ExportCounters(RunCounters):
    """The ends of a segment's profiles.

    Always: profiles_in_segment = profiles_without_value + profiles_without_consent + profiles_without_identifier +
    profiles_not_deliverable + profiles_unmatched + profiles_same + profiles_written.
    """

    profiles_in_segment: int = 0
    profiles_without_value: int = 0
    """No value in any of the exported properties."""
    profiles_without_consent: int = 0
    profiles_without_identifier: int = 0
    """No value in any linked property."""
    profiles_not_deliverable: int = 0
    """A value that the file cannot hold, or that was refused; see the quarantine."""
    profiles_unmatched: int = 0
    """No matching user on the platform, and `create_users` is off."""
    profiles_same: int = 0
    """Their rows are as this goal last delivered them."""
    profiles_written: int = 0

    @property
    def eligible(self) -> int:
        """How many could be exported: in the segment, with a value, with consent, with an identifier."""
        left_out = self.profiles_without_value + self.profiles_without_consent + self.profiles_without_identifier
        return self.profiles_in_segment - left_out


EXPORT_COUNTERS = ExportCounters.names()
"""The counters' names, in order."""

ExportCounters.ends = EXPORT_COUNTERS[1:]


@dataclass(frozen=True)
class ExportReport(Report):
    """What a run of one export goal did."""

    direction = "export"

    segment: str
    counters: ExportCounters = ExportCounters()
    path: str | None = None
    """The file on the server; None where no file was written."""
    size: int = 0
    """Bytes of that file."""
    profiles_taken_off: int | None = None
    """Users who were taken off lists because they left the segment; None where there are no lists."""
    profiles_ever_exported: int | None = None
    """By the connection, each counted once; None where the warehouse was not written to."""

    def _summary(self) -> str:
        counters = self.counters
        left_out = counters.in_words(name for name in counters.ends if name != "profiles_written")
        suffix = f" ({left_out})." if left_out else "."
        suffix += f" {self.profiles_taken_off:,} taken off lists." if self.profiles_taken_off else ""
        if self.path is None and not counters.profiles_written:
            return f"Nothing to export: {counters.profiles_in_segment:,} in {self.segment}{suffix}"
        name = f"{self.path.rpartition('/')[2]}: " if self.path else ""
        of = f"{counters.profiles_written:,} of {counters.profiles_in_segment:,} in {self.segment}"
        return f"{name}{of} written{suffix}"

    def _further(self) -> dict[str, Any]:
        off = {} if self.profiles_taken_off is None else {"profiles_taken_off": self.profiles_taken_off}
        return {"eligible": self.counters.eligible, **off}

    def _files(self) -> list[dict[str, Any]]:
        return [{"path": self.path, "state": FileState.DELIVERED, "size": self.size}] if self.path else []
