"""What a run of an export goal of profiles reports."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cdp_sync.model.counting import counted
from cdp_sync.model.report import FileState, Report, RunCounters


@dataclass(frozen=True)
class ExportCounters(RunCounters):
    """The ends of a segment's profiles.

    Always: profiles_in_segment = profiles_outside_lifecycle + profiles_without_value + profiles_without_consent +
    profiles_without_identifier + profiles_capped + profiles_filtered + profiles_not_deliverable + profiles_unmatched +
    profiles_same + profiles_written.
    """

    profiles_in_segment: int = 0
    profiles_outside_lifecycle: int = 0
    """In none of the stages of the lifecycle that the goal is part of."""
    profiles_without_value: int = 0
    """No value in any of the exported properties."""
    profiles_without_consent: int = 0
    profiles_without_identifier: int = 0
    """No value in any linked property."""
    profiles_capped: int = 0
    """Touched as often as the goal's threshold allows; exported again when their caps have ended."""
    profiles_filtered: int = 0
    """Processors dropped them: they do not count as part of the audience."""
    profiles_not_deliverable: int = 0
    """A value that the file cannot hold, or that was refused; see the quarantine."""
    profiles_unmatched: int = 0
    """No matching user on the platform, and `create_users` is off."""
    profiles_same: int = 0
    """Their rows are as this goal last delivered them."""
    profiles_written: int = 0
    events_written: int = 0
    """Events that went to a platform with these profiles."""
    events_not_deliverable: int = 0
    """Events of these profiles that were refused; see the quarantine."""

    @property
    def eligible(self) -> int:
        """How many could be exported: in segment and lifecycle, with a value, with consent, with an identifier."""
        left_out = self.profiles_without_value + self.profiles_without_consent + self.profiles_without_identifier
        return self.profiles_in_segment - self.profiles_outside_lifecycle - left_out


EXPORT_COUNTERS = tuple(asdict(ExportCounters()))
"""The counters' names, in order."""

ExportCounters.ends = EXPORT_COUNTERS[1:11]


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
    capped_until: tuple[datetime, datetime] | None = None
    """When the first and the last of the caps end; None where no profile is capped."""
    note: str = ""
    """Why the goal exports nobody, where its lifecycle says so."""
    waits: str = ""
    """Why a campaign exported nobody; empty: it was due."""
    difference: str = ""
    """How the declared definitions of a campaign differ from those that it exports; empty: they do not."""
    full_pass: str | None = None
    """Why it looked at everybody; empty: it looked at those who may have changed since the last run; None: unknown."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an author should know."""
        return (self.difference,) if self.difference else ()

    @property
    def delivers(self) -> bool:
        """Whether anything was delivered."""
        counters = self.counters
        return bool(self.path or counters.profiles_written or counters.events_written or self.profiles_taken_off)

    def _summary(self) -> str:
        if self.waits:
            return self.waits
        counters = self.counters
        left_out = counters.in_words(name for name in counters.ends if name != "profiles_written")
        suffix = f" ({left_out})." if left_out else "."
        suffix += f" {self.profiles_taken_off:,} taken off lists." if self.profiles_taken_off else ""
        if counters.events_written or counters.events_not_deliverable:
            refused = f", {counters.events_not_deliverable:,} refused" if counters.events_not_deliverable else ""
            suffix += f" {counted(counters.events_written, 'event')} sent{refused}."
        if self.capped_until:
            first, last = (f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for moment in self.capped_until)
            suffix += f" The caps end at {first}{f' to {last}' if last != first else ''} UTC."
        suffix += f" {self.note}" if self.note else ""
        if self.path is None and not counters.profiles_written:
            return f"Nothing to export: {counters.profiles_in_segment:,} in {self.segment}{suffix}"
        name = f"{self.path.rpartition('/')[2]}: " if self.path else ""
        of = f"{counters.profiles_written:,} of {counters.profiles_in_segment:,} in {self.segment}"
        return f"{name}{of} written{suffix}"

    def _further(self) -> dict[str, Any]:
        off = {} if self.profiles_taken_off is None else {"profiles_taken_off": self.profiles_taken_off}
        first, last = self.capped_until or (None, None)
        caps = {"capped_until_first": first, "capped_until_last": last} if first else {}
        warnings = {"warnings": list(self.warnings)} if self.warnings else {}
        looked = f"everybody: {self.full_pass}" if self.full_pass else "those who may have changed"
        passed = {} if self.full_pass is None else {"looked_at": looked}
        return {"eligible": self.counters.eligible, **off, **caps, **warnings, **passed}

    def _files(self) -> list[dict[str, Any]]:
        return [{"path": self.path, "state": FileState.DELIVERED, "size": self.size}] if self.path else []
