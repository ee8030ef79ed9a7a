"""The command about scores."""

from dataclasses import asdict

import click

from cdp_sync.cli.options import AS_JSON, answer, end


@click.command()
@click.option("--compute", is_flag=True, help="Compute all scores first; the run stands in the UI's history.")
@AS_JSON
def scores(*, compute: bool, as_json: bool) -> None:
    """Show the scores as they were last computed: how many profiles have each, and its values by percentile."""
    from cdp_sync.inspection import look_at_scores
    from cdp_sync.orchestration.declarations import load_declarations
    from cdp_sync.terminal.figures import print_scores

    problem = _compute() if compute else ""
    found = look_at_scores(load_declarations())
    answer(found, print_scores, lambda each: [asdict(score) for score in each], as_json=as_json)
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


COMMANDS = (scores,)
