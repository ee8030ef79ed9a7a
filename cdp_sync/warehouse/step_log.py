"""Observes the steps of plans as they end. Off unless asked for, and free when off."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cdp_sync.warehouse.session import Session, Step


@dataclass(frozen=True)
class EndedStep:
    """A step that a session ran.

    Args:
        step: The step.
        session: Where its table can be looked at.
        rows: Rows that it wrote or removed; None for a view.
        seconds: How long it took.
    """

    step: "Step"
    session: "Session"
    rows: int | None
    seconds: float

    def __str__(self) -> str:
        """Return it as a line of a log, without any value."""
        rows = "view" if self.rows is None else f"{self.rows:,}"
        return f"{self.seconds:8.3f} s  {rows:>12}  {self.step.yields}"


Observer = Callable[[EndedStep], object]

observer: ContextVar[Observer | None] = ContextVar("observer", default=None)
"""What is called after each step; None: nothing."""


@contextmanager
def observed_by(called: Observer) -> Iterator[None]:
    """Have something called after each step that this context runs meanwhile."""
    token = observer.set(called)
    try:
        yield
    finally:
        observer.reset(token)
