"""Runs leave nothing in memory, and only their history on disk."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cdp_sync_tests.soak.steady import MB, WARM_UP, WORK_EVERY, Sample, figures, growth, run_steadily

FEW = WARM_UP + WORK_EVERY + 1
"""After the first runs, one with work and some without; `make soak` does three hundred."""
FIRST = Sample(True, memory=200 * MB, descriptors=10, threads=11, files=5, history=0, warehouse=0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_few_runs(tmp_path: Path) -> None:
    """Descriptors and threads are constant; a run without work adds one file of at most 180 kB."""
    samples, broken = run_steadily(tmp_path, FEW)
    assert [*broken, *growth(samples)] == [], figures(samples)
    assert {sample.warehouse for sample in samples[WARM_UP:-2]} == {samples[WARM_UP].warehouse}


def grown(runs: int, **by: int) -> Sequence[Sample]:
    """Return samples that grow by so much in each run after the first ones, besides a file of 100 kB per run."""
    samples = [FIRST]
    for number in range(1, runs):
        last = samples[-1]
        usual = {"files": 1, "history": 100_000}
        steps = {name: usual.get(name, 0) + (by.get(name, 0) if number >= WARM_UP else 0) for name in {*usual, *by}}
        more = {name: getattr(last, name) + step for name, step in steps.items()}
        samples.append(replace(last, worked=number % WORK_EVERY == 0, **more))
    return samples


@pytest.mark.parametrize(
    ("name", "step", "complaint"),
    [
        ("descriptors", 1, "304 descriptors after a run, 10 after 6 runs"),
        ("threads", 1, "305 threads after a run, 11 after 6 runs"),
        ("files", 1, "588 more files in the data folder after 294 runs, which have one each"),
        ("memory", 120_000, "35,280,000 more bytes of memory after 294 runs; allowed are 29,400,000"),
        ("history", 90_000, "190,000 bytes of history for a run without work; allowed are 180,000"),
        ("warehouse", 1, "1 bytes of warehouse for a run without work; allowed are 0"),
    ],
)
def test_growth_is_found(name: str, step: int, complaint: str) -> None:
    """Any growth per run is found, even a small one."""
    assert growth(grown(300)) == []
    assert growth(grown(300, **{name: step})) == [complaint]
