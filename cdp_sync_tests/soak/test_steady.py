"""Runs leave nothing in memory, and on the disk what they did."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cdp_sync_tests.soak.steady import MB, WARM_UP, WORK_EVERY, Sample, figures, growth, run_steadily

FEW = WARM_UP + WORK_EVERY + 1
"""One with work and some without after the first ones; `make soak` does three hundred."""
FIRST = Sample(True, memory=200 * MB, descriptors=10, threads=11, files=5, history=0, warehouse=0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_few_runs(tmp_path: Path) -> None:
    """Descriptors and threads stay as they are; each run leaves a file, without work of 180 kB at most."""
    samples, broken = run_steadily(tmp_path, FEW)
    assert [*broken, *growth(samples)] == [], figures(samples)
    assert {sample.warehouse for sample in samples[WARM_UP:-2]} == {samples[WARM_UP].warehouse}


def grown(runs: int, **by: int) -> Sequence[Sample]:
    """Return samples that grow in each run by so much, after the first ones; each has a file of 100 kB besides."""
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
def test_what_grows_is_found(name: str, step: int, complaint: str) -> None:
    """Even by a little in each run."""
    assert growth(grown(300)) == []
    assert growth(grown(300, **{name: step})) == [complaint]
