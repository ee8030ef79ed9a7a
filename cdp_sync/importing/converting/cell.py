"""What conversions of every type share: white space, words, and names for expressions."""

from dataclasses import dataclass

from cdp_sync.processing.text import is_among, is_visible, naming, strip, visible
from cdp_sync.warehouse import quote_literal

__all__ = ["Conversion", "is_among", "is_visible", "naming", "strip", "visible"]


@dataclass(frozen=True)
class Conversion:
    """A SQL expression over a cell, and why it yields null where it does."""

    sql: str
    reason: str
    can_fail: bool = True
    causes: tuple[tuple[str, str], ...] = ()
    """Conditions on a cell that did not convert, each with a reason that says more; the first that holds counts."""

    @property
    def reason_sql(self) -> str:
        """The expression for the reason why a cell did not convert."""
        usual = quote_literal(self.reason)
        cases = " ".join(f"when {condition} then {quote_literal(reason)}" for condition, reason in self.causes)
        return f"case {cases} else {usual} end" if cases else usual
