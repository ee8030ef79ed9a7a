"""The command about scores."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cdp_sync.cli.options import AS_JSON, answer, end

if TYPE_CHECKING:
    from cdp_sync.scoring.stored import StoredScore

_NO_HOLD_OUT = "No hold-out yet: it needs 20 profiles with events before and within the horizon."


@click.command()
@click.option("--compute", is_flag=True, help="Compute all scores first; the run stands in the UI's history.")
@AS_JSON
def scores(*, compute: bool, as_json: bool) -> None:
    """Show the scores as they were last computed: how many profiles have each, and its values by percentile."""
    from cdp_sync.inspection import look_at_scores
    from cdp_sync.orchestration.declarations import load_declarations

    problem = _compute() if compute else ""
    found = look_at_scores(load_declarations())
    answer(found, _show, lambda each: [asdict(score) for score in each], as_json=as_json)
    if problem:
        from cdp_sync.printing import print_error

        print_error(problem)
    end(fine=not problem)


def _compute() -> str:
    """Run the job that computes the scores through Dagster, and return what went wrong."""
    from cdp_sync.orchestration.garbage import uncollected

    with uncollected():
        from cdp_sync.orchestration.project import load_profile_jobs
        from cdp_sync.orchestration.runs.scores import compute_now

        definitions = load_profile_jobs()
    return compute_now(definitions)


def _show(found: "list[StoredScore]") -> None:
    from cdp_sync.model import counted
    from cdp_sync.printing import print_table, say

    for score in found:
        when = f", computed at {score.scored_at:%Y-%m-%d %H:%M:%S} UTC" if score.scored_at else ""
        say((score.name, "bold"), f"  {counted(score.profiles, 'profile')}{when}")
        if score.tenths:
            rows = [(each.words, each.profiles, f"{each.lowest:.4g}", f"{each.highest:.4g}") for each in score.tenths]
            print_table(("percentile", "profiles", "lowest value", "highest value"), rows)
            say(score.held_out.words if score.held_out else _NO_HOLD_OUT)
    if not found:
        say("No scores are declared.")


COMMANDS = (scores,)
