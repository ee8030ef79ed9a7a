"""Who is who in the demonstration: a rule makes one customer of three profiles, and one of a couple by mistake."""

from pathlib import Path
from typing import Any

from cdp_sync.calling import call
from cdp_sync.merge_preview import id_named, look_at_decisions
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.project import load_profile_jobs
from cdp_sync.orchestration.runs.deciding import decide, unmerge_order
from cdp_sync.printing import print_error, print_table, print_title, say
from cdp_sync.sandbox.demo.comparison import shown
from cdp_sync.sandbox.demo.files import COUPLE, VERA, last_rows_of_couple
from cdp_sync.terminal.profiles import print_decisions, print_merges
from cdp_sync.warehouse import Session

_SHOWN = ("last_name", "order_count", "branch_total", "interests")

_PARTS = f"""
select part.customer_number, {", ".join(f"part.{name}" for name in _SHOWN)}
from warehouse.profile_by_itself part
join warehouse.live_profile live on live.profile_id = coalesce(part.merged_into, part.profile_id)
where live.email = $email
order by part.created_at"""

_LIVE = f"select 'one profile', {', '.join(_SHOWN)} from warehouse.live_profile where email = $email"

_COUPLE = """
select customer_number, first_name, branch_total
from warehouse.live_profile
where customer_number in $numbers
order by customer_number"""


def mend_merges() -> bool:
    """Show what the rule merged, and unmerge the couple; return whether they are two profiles now."""
    _show_merges()
    return _unmerge_couple()


def couple_is_apart(root: Path) -> bool:
    """Show the couple after the last files; return whether each of them has what these say.

    Args:
        root: Where the files were delivered.
    """
    with project_warehouse().open("read") as session:
        found = _couple(session)
    print_title("Who is who: the couple, after another file with the same address")
    print_table(("  ", "first_name", "branch_total"), [(f"  {number}", name, total) for number, name, total in found])
    if found == last_rows_of_couple(root):
        say("They are two profiles, each with the values of its own rows.")
        return True
    print_error("They are not two profiles with the values of the last file.")
    return False


def _show_merges() -> None:
    print_title("Who is who: the web shop and the branch have customers with the same e-mail address")
    say(call("merges"))
    print_decisions(*look_at_decisions(None, None, 10))
    with project_warehouse().open("read") as session:
        parts = [*session.rows(_PARTS, {"email": VERA}), *session.rows(_LIVE, {"email": VERA})]
    numbers, *values = zip(*parts, strict=True)
    say(f"\n{VERA} by her customer numbers, and as one profile:", lines=True)
    rows = [(f"  {name}", *map(shown, row)) for name, row in zip(_SHOWN, values, strict=True)]
    print_table(("  ", *map(str, numbers)), rows)


def _unmerge_couple() -> bool:
    """Unmerge the couple, as `cdp-sync unmerge` does."""
    with project_warehouse().open("read") as session:
        if len(_couple(session)) == len(COUPLE):
            say("\nKarin and Jens Behrens share an address. An earlier demonstration unmerged them.\n", lines=True)
            return True
    number = COUPLE[-1]
    say("\nKarin and Jens Behrens share an address, but are two people:", lines=True)
    say(call(f"unmerge {number}"))
    profile = id_named(number, alone=True)
    decided = decide(load_profile_jobs(), unmerge_order(profile, survivor=None, identifiers=(), decided_by="demo"))
    if decided.merges is None:
        print_error(decided.message)
        return False
    print_merges(decided.merges)
    say()
    return True


def _couple(session: Session) -> list[tuple[Any, ...]]:
    return session.rows(_COUPLE, {"numbers": list(COUPLE)})
