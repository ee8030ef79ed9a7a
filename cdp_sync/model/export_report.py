"""What a run of an export goal did."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class ExportCounters:
    """What became of a segment's profiles.

    Always: profiles_in_segment = profiles_without_value + profiles_without_consent + profiles_without_identifier +
    profiles_not_deliverable + profiles_unmatched + profiles_same + profiles_written.
    """

    profiles_in_segment: int = 0
    profiles_without_value: int = 0
    """No value in any of the exported properties."""
    profiles_without_consent: int = 0
    profiles_without_identifier: int = 0
    """Nothing to name them by there."""
    profiles_not_deliverable: int = 0
    """A value that the file cannot hold, or that was refused; see the quarantine."""
    profiles_unmatched: int = 0
    """Nobody there is them, and nobody is to be created."""
    profiles_same: int = 0
    """Their rows are as this goal last delivered them."""
    profiles_written: int = 0

    @property
    def eligible(self) -> int:
        """How many could be exported: in the segment, with a value, with consent, with a name there."""
        left_out = self.profiles_without_value + self.profiles_without_consent + self.profiles_without_identifier
        return self.profiles_in_segment - left_out

    @property
    def add_up(self) -> bool:
        """Whether every profile of the segment is accounted for."""
        return bool(self.profiles_in_segment == sum(getattr(self, name) for name in EXPORT_COUNTERS[1:]))


EXPORT_COUNTERS = tuple(counter.name for counter in fields(ExportCounters))
"""The counters' names, in order."""


@dataclass(frozen=True)
class ExportReport:
    """What a run of one export goal did."""

    goal: str
    segment: str
    counters: ExportCounters = ExportCounters()
    path: str | None = None
    """The file on the server; none where nothing was written."""
    size: int = 0
    """Bytes of that file."""
    profiles_taken_off: int | None = None
    """Users who were taken off lists, for they are in the segment no more; None where there are no lists."""
    reasons: tuple[tuple[str, int], ...] = ()
    """Why profiles could not be delivered, most frequent first."""
    seconds: float = 0.0
    profiles_ever_exported: int | None = None
    """By the connection, each counted once; None where the warehouse was not written to."""
    error: str = ""

    @property
    def state(self) -> str:
        """Either success or failed."""
        return "failed" if self.error else "success"

    @property
    def errors(self) -> tuple[str, ...]:
        """What went wrong."""
        return (self.error,) if self.error else ()

    @property
    def message(self) -> str:
        """One sentence for people."""
        if self.error:
            return self.error
        left = {name.removeprefix("profiles_").replace("_", " "): getattr(self.counters, name) for name in _LEFT}
        told = ", ".join(f"{times:,} {what}" for what, times in left.items() if times)
        behind = f" ({told})" if told else ""
        off = f" {self.profiles_taken_off:,} taken off lists." if self.profiles_taken_off else ""
        if self.path is None and not self.counters.profiles_written:
            return f"Nothing to export: {self.counters.profiles_in_segment:,} in {self.segment}{behind}.{off}"
        name = f"{self.path.rpartition('/')[2]}: " if self.path else ""
        written = f"{self.counters.profiles_written:,} of {self.counters.profiles_in_segment:,} in {self.segment}"
        return f"{name}{written} written{behind}.{off}"

    def to_json(self) -> dict[str, Any]:
        """Return the goal as `run --json` shows it."""
        told = {"goal": self.goal, "state": self.state, "message": self.message, **asdict(self.counters)}
        file = [{"path": self.path, "state": "delivered", "size": self.size}] if self.path else []
        off = {} if self.profiles_taken_off is None else {"profiles_taken_off": self.profiles_taken_off}
        return {**told, "eligible": self.counters.eligible, **off, "seconds": round(self.seconds, 3), "files": file}


_LEFT = EXPORT_COUNTERS[1:-1]
