"""What the mail sensor remembers from one look to the next."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

FIRST_LOOK_BACK = 3600.0
"""Seconds: how far the very first look, or one without memory, goes back. Older history is nobody's news."""

_OVERLAP = 600.0
"""Seconds that looks overlap: an event may be written later than it says. What was mailed bears a mark."""

_FIRST_PAUSE = 60.0
_LONGEST_PAUSE = 900.0


@dataclass(frozen=True)
class Pause:
    """How often a mail was tried in vain, and when it is tried again."""

    attempts: int
    until: float

    def longer(self, now: float) -> "Pause":
        """Return the pause behind one more attempt: twice as long, up to a quarter of an hour."""
        return Pause(self.attempts + 1, now + min(_FIRST_PAUSE * 2**self.attempts, _LONGEST_PAUSE))


@dataclass(frozen=True)
class Cursor:
    """Until when runs were looked at, and which mails wait until when."""

    looked_at: float
    pauses: Mapping[str, Pause] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None, now: float) -> "Cursor":
        """Return what a text says; where it says nothing, what the very first look begins with."""
        try:
            found = json.loads(text or "")
            pauses = {run: Pause(**pause) for run, pause in found["pauses"].items()}
            return cls(float(found["looked_at"]), pauses)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(now - FIRST_LOOK_BACK + _OVERLAP)

    def write(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @property
    def since(self) -> float:
        """From when on runs are to be looked at."""
        return self.looked_at - _OVERLAP

    def pause(self, run_id: str) -> Pause:
        """Return a mail's pause; one that was never tried has none."""
        return self.pauses.get(run_id, Pause(0, 0.0))
