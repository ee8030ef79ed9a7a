"""What the steps of a goal hand to each other, as Dagster keeps it: a file in a folder for each step of each run."""

import shutil
from contextlib import suppress
from pathlib import Path

import dagster as dg


def forget_handles(context: dg.OpExecutionContext) -> None:
    """Remove what the steps of this step's goal have handed on; to be called when the goal is done.

    What a failed goal's steps have handed on stays: they can be run again from the step that failed.
    """
    node = str(context.op_handle).partition(".")[0]
    of_run = Path(context.instance.storage_directory()) / context.run_id
    for of_step in of_run.glob(f"{node}.*"):
        shutil.rmtree(of_step, ignore_errors=True)
    with suppress(OSError):  # other goals of the run have theirs in it, or there is none
        of_run.rmdir()
