"""The demonstration's scores and analytics: who opens letters of the web shop, and the figures of each letter."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from cdp_sync.analytics import Timeframe, view_figures
from cdp_sync.calling import call
from cdp_sync.inspection import look_at_scores, look_at_segment
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declarations import Declarations
from cdp_sync.orchestration.project import load_profile_jobs
from cdp_sync.orchestration.runs.scores import compute_now
from cdp_sync.printing import print_error, print_table, print_title, say
from cdp_sync.sandbox.demo.messages import read_messages
from cdp_sync.terminal.figures import print_scores

SCORE, SEGMENT = "likely_to_open", "keen_readers"
_SHOWN = 4
"""Letters of which the figures are shown, the last ones."""
_EXPECTED = ("deliveries", "unique_opens", "unique_clicks", "attributed_orders", "attributed_revenue")
_FIGURES = (*_EXPECTED[:2], "open_rate", *_EXPECTED[2:])

_PERCENTILES = """
select lower(email), percentile
from warehouse.score join warehouse.live_profile using (profile_id)
where score = $score"""


def keen_readers_open_more(root: Path, declarations: Declarations) -> bool:
    """Compute the scores, and show one; return whether those with high percentiles opened more of their letters.

    Args:
        root: Where the files were delivered.
        declarations: The demonstration's.
    """
    print_title("Scores: how likely customers open a letter, click in it, and what they will buy")
    say(call("scores --compute"))
    if problem := compute_now(load_profile_jobs()):
        print_error(problem)
        return False
    print_scores([each if each.name == SCORE else replace(each, tenths=()) for each in look_at_scores(declarations)])
    with project_warehouse().open("read") as session:
        percentiles: dict[str, int] = dict(session.rows(_PERCENTILES, {"score": SCORE}))
    delivered = [row for row in read_messages(root) if row["DeliveredAt"]]
    opened: dict[bool, list[bool]] = defaultdict(list)
    for row in delivered:
        opened[percentiles.get(row["Email"], -1) >= 80].append(bool(row["OpenedAt"]))
    keen, others = (sum(opened[is_keen]) / max(len(opened[is_keen]), 1) for is_keen in (True, False))
    readers = look_at_segment(declarations, SEGMENT).size
    say(f"\n{call(f'segment {SEGMENT}')}: {counted(readers, 'customer')} at 80 or more.", lines=True)
    say(
        f"They opened {keen:.0%} of their letters, all others {others:.0%}. The campaign exports the percentile.\n",
        lines=True,
    )
    is_complete = percentiles.keys() == {row["Email"] for row in delivered}
    if is_complete and keen > others and readers == sum(each >= 80 for each in percentiles.values()) > 0:
        return True
    print_error("The scores do not say who opens letters.")
    return False


def figures_agree(root: Path, declarations: Declarations) -> bool:
    """Show what analytics says of the last letters; return whether the figures of all are those of the file.

    Args:
        root: Where the files were delivered.
        declarations: The demonstration's.
    """
    print_title("Analytics: the responses to each letter, and the orders after them")
    by_letter: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in read_messages(root):
        by_letter[row["Letter"]].append(row)
    timeframe = _timeframe(by_letter)
    say(call(f"analytics campaigns --from {timeframe.since} --to {timeframe.until}"))
    with project_warehouse().open("read") as session:
        figures = view_figures(session, declarations.profiles, "campaigns", timeframe)
    rows = {str(row["campaign"]): row for row in figures.rows}
    table = [(f"  {letter}", *(rows[letter][name] for name in _FIGURES)) for letter in sorted(rows)[-_SHOWN:]]
    table.append((f"  all {len(rows)} letters", *(figures.total[name] for name in _FIGURES)))
    print_table(("  letter", *(name.replace("_", " ") for name in _FIGURES)), table)
    if {letter: tuple(row[name] for name in _EXPECTED) for letter, row in rows.items()} == _expected(by_letter):
        say(
            "They are the numbers of the file that was imported; orders belong to the letter clicked before.\n",
            lines=True,
        )
        return True
    print_error("The figures are not those of the file.")
    return False


def _timeframe(by_letter: Mapping[str, Sequence[Mapping[str, str]]]) -> Timeframe:
    """Return the days from the first event to the last one."""
    rows = [row for letter in by_letter.values() for row in letter]
    cells = [cell for row in rows for name, cell in row.items() if name.endswith("At") and cell]
    first, last = (datetime.fromisoformat(cell).date() for cell in (min(cells), max(cells)))
    return Timeframe(first, last)


def _expected(by_letter: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, tuple[int | Decimal, ...]]:
    """Return deliveries, opens, clicks, orders and their amounts by letter, as the file says."""
    return {
        letter: (
            *(sum(bool(row[name]) for row in rows) for name in ("DeliveredAt", "OpenedAt", "ClickedAt", "OrderId")),
            sum((Decimal(row["Amount"]) for row in rows if row["Amount"]), Decimal()),
        )
        for letter, rows in by_letter.items()
    }
