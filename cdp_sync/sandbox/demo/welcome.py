"""The demonstration's lifecycle: customers are greeted once a day, until they order for the first time."""

import csv
from datetime import timedelta
from pathlib import Path

import dagster as dg

from cdp_sync.calling import call
from cdp_sync.inspection import look_at_lifecycle, look_at_segment
from cdp_sync.model import ExportCounters, ExportReport
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declarations import Declarations
from cdp_sync.orchestration.runs.launch import Order, Outcome, launch
from cdp_sync.printing import print_error, print_table, print_title, say
from cdp_sync.sandbox.demo.comparison import shown
from cdp_sync.sandbox.demo.files import ORDERS_HEADER, SHOP, Delivery, instant, last_day, shop_people
from cdp_sync.terminal import print_goal, print_lifecycle, show_progress

LIFECYCLE, CONNECTION, GREETING, BUYERS = "welcome", "mailing", "greeting", "new_buyers"

_CHANGES = """
select happened_at, from_stage, to_stage, profile_id::text
from warehouse.event_stage_changed join warehouse.live_profile using (profile_id)
where lifecycle = $lifecycle and lower(email) = $email
order by happened_at"""


def deliver_first_order(root: Path, *, seed: int = 20260101) -> Path:
    """Deliver an order of the next day: the first one of a customer who came with the last file of the web shop.

    Args:
        root: Where `write_demo_files` wrote.
        seed: The seed it was given.
    """
    day = last_day(root, f"{SHOP}/customers")
    customer, at = shop_people(seed, day)[-1], instant(day + 1, hour=7)
    row = (f"F-{day:02}", customer.email, "24.00", (at - timedelta(hours=1)).isoformat())
    return Delivery(f"{SHOP}/orders_{at:%Y-%m-%d}.csv", ORDERS_HEADER, [row], at).write(root)


def greet_again(mailing: dg.Definitions, first: Outcome, declarations: Declarations) -> bool:
    """Run the greeting once more; return whether all profiles that the first run wrote or capped are capped now.

    Args:
        mailing: The definitions of the connection to the mailing house.
        first: Its run just before.
        declarations: The demonstration's.
    """
    print_title("A lifecycle: who has not ordered yet is greeted, once a day")
    print_lifecycle(LIFECYCLE, look_at_lifecycle(declarations, LIFECYCLE))
    say()
    say(call(f"run {CONNECTION} --goal {GREETING}"))
    with show_progress() as progress:
        again = launch(mailing, Order(CONNECTION, GREETING), progress)
    for report in again.goals:
        print_goal(report)
    before, now = _counters(first), _counters(again)
    expected = before.profiles_written + before.profiles_capped
    if now.profiles_written or now.profiles_capped != expected or not expected:
        print_error(f"Not everybody was at the cap: {expected:,} had been greeted.")
        return False
    say(f"Nobody is greeted twice: the {now.profiles_capped:,} who were greeted are capped for a day.\n", lines=True)
    return True


def _counters(outcome: Outcome) -> ExportCounters:
    (report,) = [each for each in outcome.goals if isinstance(each, ExportReport) and each.goal == GREETING]
    return report.counters


def first_order_is_noticed(root: Path, declarations: Declarations) -> bool:
    """Show the stages of the customer with the last order; return whether the first order made them a buyer.

    Args:
        root: Where the files were delivered.
        declarations: The demonstration's.
    """
    email = _last_to_order(root)
    with project_warehouse().open("read") as session:
        changes = session.rows(_CHANGES, {"lifecycle": LIFECYCLE, "email": email})
    buyers = look_at_segment(declarations, BUYERS)
    print_title("A lifecycle: a first order arrived in act 2")
    say(f"{email}, by the events stage_changed:")
    print_table(("  ", "from", "to"), [(f"  {shown(at)}", shown(before), after) for at, before, after, _ in changes])
    say(f"\n{call(f'segment {BUYERS}')}: {buyers.size:,}", lines=True)
    moved = [profile for *_, before, after, profile in changes if (before, after) == ("fresh", "buyer")]
    if moved and moved[-1] in buyers.sample:
        say("The customer is in this segment, and is not greeted any more.")
        return True
    print_error("The order did not move the customer from fresh to buyer.")
    return False


def _last_to_order(root: Path) -> str:
    """Return the address in the last row of the last file of orders."""
    last = max((root / SHOP).glob("orders_*.csv"))
    with last.open(encoding="utf-8", newline="") as rows:
        *_, row = csv.DictReader(rows)
    return row["Email"].lower()
