"""Delta `replace`: a file replaces the previous import of its path, and only the rows that differ are applied.

Rows compare by the digest of their cells, and as often as they occur. With `row_key` a row compares with what its key
last brought, in whatever file of the goal.
"""

from cdp_sync.importing.run import GoalRun
from cdp_sync.warehouse import Session, Step, fixed


def compare_rows(session: Session, run: GoalRun) -> None:
    """Compare the staged rows with the previous imports, or with what was read of a text that grows.

    Makes `staging.unchanged`, `staging.previous` and, without `row_key`, `staging.gone_row`.

    Rows that were compared at the warehouse's present revision are not compared again. Watermarks are read when rows
    are compared, not when they arrive: another run may have read further since.
    """
    if session.value("select exists (from staging.compared join warehouse.revision on number = revision)"):
        return
    declared = {**run.goal_named, "fingerprint": run.unchanged_under, "links": run.goal.links_as_json}
    steps = [_step("file", "same_declaration", declared), _step("previous_row", "previous_row")]
    if run.goal.row_key:
        steps += [
            _step("previous_by_key", "previous_by_key", {"source": run.source}),
            _step("set_aside", "set_aside"),
            _step("unchanged", "unchanged_by_key", {"fingerprint": run.unchanged_under}),
        ]
    else:
        steps.append(_step("unchanged", "unchanged"))
    if session.value("select exists (from staging.watermark where kind = 'append')"):
        steps.append(_step("unchanged", "unchanged_by_line", run.goal_named))
    if not run.goal.row_key:
        steps.append(_step("gone_row", "gone_row"))
    compared = "create or replace table staging.compared as select number as revision from warehouse.revision"
    session.run([*steps, _step("previous", "previous"), Step("staging.compared", compared)])


def _step(yields: str, name: str, values: dict[str, object] | None = None) -> Step:
    return fixed(f"staging.{yields}", f"importing/delta/{name}", values)
