"""Delta `append`: of a text that only grows, the lines up to the watermark are unchanged, whatever they hold."""

from pathlib import Path

from cdp_sync.importing.run import GoalRun
from cdp_sync.warehouse import Step, statement

_BLOCK = 1 << 20


def cut_unfinished_line(local: Path) -> None:
    """Cut a file after its last line feed: what follows may be half a line, which the next read takes whole."""
    with local.open("rb+") as file:
        end = file.seek(0, 2)
        while end:
            start = max(end - _BLOCK, 0)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n") + 1
            if found:
                file.truncate(start + found)
                return
            end = start
        file.truncate(0)


def append_steps(run: GoalRun) -> tuple[Step, ...]:
    """Return the steps that make `staging.unchanged` of the files whose lines were read before.

    The watermark is read when rows are compared, not when they arrive: another run may have read further since.
    """
    values = {"connection": run.connection, "goal": run.goal.name}
    reads = ("staging.staged", "staging.part", "staging.line_gap", "staging.watermark")
    return (Step("staging.unchanged", statement("importing/delta/unchanged_by_line"), values, reads),)
