"""What people see of scores and analytics on a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdp_sync.model.counting import counted
from cdp_sync.printing import fits, print_table, print_title, say

if TYPE_CHECKING:
    from cdp_sync.analytics import Figures
    from cdp_sync.scoring.stored import StoredScore

_NEVER = "; `scores --compute` computes it"
_NO_HOLD_OUT = "No hold-out yet: it needs 20 profiles with events before and within the horizon."


def print_scores(scores: Sequence["StoredScore"]) -> None:
    """Show how many profiles have each score, and its values by tenth of the percentiles."""
    for score in scores:
        when = f", computed at {score.scored_at:%Y-%m-%d %H:%M:%S} UTC" if score.scored_at else _NEVER
        say((score.name, "bold"), f"  {counted(score.profiles, 'profile')}{when}")
        if score.tenths:
            rows = [(each.words, each.profiles, f"{each.lowest:.4g}", f"{each.highest:.4g}") for each in score.tenths]
            print_table(("percentile", "profiles", "lowest value", "highest value"), rows)
            say(score.held_out.words if score.held_out else _NO_HOLD_OUT)
    if not scores:
        say("No scores are declared.")


def print_figures(figures: "Figures") -> None:
    """Print the figures as a table; or row by row, where the terminal is too narrow for all columns."""
    frame, of_all = figures.timeframe, [figures.total[name] for name in figures.names]
    print_title(f"{figures.view.capitalize()} from {frame.since} to {frame.until}")
    names = [name.replace("_", " ") for name in figures.names]
    if frame.by == "total" and figures.keys == ("period",):
        print_table(("figure", "value"), zip(names, of_all, strict=True))
        return
    total = ["total", *([None] * (len(figures.keys) - 1)), *of_all]
    rows, columns = [*figures.cells(), total], [*figures.keys, *names]
    if fits(columns, rows):
        print_table(columns, rows)
        return
    for row in rows:
        label = " ".join(str(each) for each in row[: len(figures.keys)] if each is not None)
        values = zip(names, row[len(figures.keys) :], strict=True)
        known = (f"{name} {value:,}" for name, value in values if value is not None)
        say((label or "no campaign", "bold"), "  ", ", ".join(known))
