"""No polluted file is silently wrong: every row lands right in all cells, or is accounted for by line and reason."""

import pytest

from cdp_sync_tests.pollock.judging import Judged, Verdict, judge_all
from cdp_sync_tests.pollock.polluting import judge_in_parallel, table_of, variants

FEW = 40
"""The quick test takes every so-manieth file."""


def check(judged: list[Judged]) -> None:
    """Print the verdicts, and check that none is silently wrong."""
    print(table_of(judged))
    wrong = [(each.variant.name, each.why) for each in judged if each.verdict is Verdict.WRONG]
    assert not wrong


def test_some_polluted_files() -> None:
    """Some of all."""
    check(list(judge_all(list(variants())[::FEW])))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_polluted_files() -> None:
    """All of them."""
    check(judge_in_parallel(variants()))
