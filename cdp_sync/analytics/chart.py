"""Figures as a chart of bars, in Markdown."""

from decimal import Decimal

from cdp_sync.analytics.figures import Figures

_WIDTH = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"

_CHARTED = {
    "identification": ("active_profiles", "identified_profiles"),
    "customers": ("new_customers", "returning_customers"),
    "performance": ("deliveries", "unique_opens", "unique_clicks"),
    "campaigns": ("deliveries", "unique_opens", "unique_clicks"),
    "campaign": ("deliveries", "unique_opens", "unique_clicks"),
}
"""The figures that a view's chart shows."""


def bar_chart(figures: Figures, rows: int = 31) -> str:
    """Return a table with a bar for each figure of the first campaigns, or of the last periods, up to so many rows.

    The longest bar of the chart is that of its largest figure.
    """
    names = [name for name in _CHARTED[figures.view] if figures.total[name] is not None]
    shown = figures.rows[:rows] if "campaign" in figures.keys else figures.rows[-rows:]
    if not names or not shown:
        return "Nothing to show."
    largest = max(row[name] for row in shown for name in names)
    key = figures.keys[0]
    lines = [" | ".join(["", key, *names, ""]).strip(), "|".join(["", "---", *("---" for _ in names), ""])]
    for row in shown:
        label = "" if row[key] is None else str(row[key]).replace("|", "\\|").replace("`", "'")
        cells = (f"`{_bar(row[name], largest)}` {row[name]:,}" for name in names)
        lines.append(" | ".join(["", label, *cells, ""]).strip())
    return "\n".join(lines)


def _bar(value: int | Decimal, largest: int | Decimal) -> str:
    """Return a bar, as long as the value's part of the largest one in eighths of a character."""
    eighths = int(value * _WIDTH * 8 / largest) if largest else 0
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).strip() or " "
