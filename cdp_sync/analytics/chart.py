"""Figures as a chart of bars, in Markdown."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from cdp_sync.analytics.figures import Figures, Row
from cdp_sync.model.analytics import Period

_WIDTHS = (20, 16, 12, 8)
"""Characters of the bars of a row. With more, a chart of large numbers would be wider than a page of the UI."""
_LONGEST = 999
"""Characters of a chart. Dagster's UI shows longer Markdown on a click only, so that bars are narrower then."""
_NO_BREAK = "\u00a0"
_LABEL = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"

_CHARTED = {
    "identification": ("active_profiles", "identified_profiles"),
    "customers": ("new_customers", "returning_customers"),
    "performance": ("unique_opens", "unique_clicks"),
    "campaigns": ("unique_opens", "unique_clicks"),
    "campaign": ("unique_opens", "unique_clicks"),
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
    charts = [_chart(figures, shown, names, width // len(names)) for width in _WIDTHS]
    return next((chart for chart in charts if len(chart) <= _LONGEST), charts[-1])


def _chart(figures: Figures, rows: Sequence[Row], names: Sequence[str], width: int) -> str:
    largest = max(row[name] for row in rows for name in names)
    key = figures.keys[0]
    lines = [" | ".join(["", key, *names, ""]).strip(), "|".join(["", "---", *("---" for _ in names), ""])]
    for row in rows:
        cells = (f"{_bar(row[name], largest, width)}{_NO_BREAK}{row[name]:,}" for name in names)
        lines.append("|".join(["", _label(row[key], figures.timeframe.by), *cells, ""]))
    return "\n".join(lines)


def _label(key: object, by: Period) -> str:
    """Return what a row is about: a day, month or timeframe; or text, as code: a campaign may be called like markup."""
    if isinstance(key, date):
        return f"{key:%Y-%m}" if by == "month" else f"{key:%m-%d}"
    text = " ".join(str(key).split())[:_LABEL].replace("|", "\\|").replace("`", "'")
    return f"`{text}`" if key is not None and text else ""


def _bar(value: int | Decimal, largest: int | Decimal, width: int) -> str:
    """Return a bar, as long as the value's part of the largest one, in eighths of a character."""
    eighths = int(value * width * 8 / largest) if largest else 0
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).strip()
