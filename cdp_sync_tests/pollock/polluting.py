"""All polluted files, and the table of verdicts."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, count

from cdp_sync_tests.pollock.dialects import DIALECTS
from cdp_sync_tests.pollock.files import FILES
from cdp_sync_tests.pollock.judging import BATCH, Judged, Verdict, judge_all, verdicts_by_kind
from cdp_sync_tests.pollock.records import polluted_records
from cdp_sync_tests.pollock.writing import Variant

SEEN = 20
"""The number of silently wrong files that are printed."""


def variants() -> Iterator[Variant]:
    """Yield all polluted files in a fixed order."""
    numbers = count(1)
    yield from chain.from_iterable(pollute(numbers) for pollute in (*FILES, *DIALECTS))
    yield from polluted_records(numbers)


def some_variants() -> list[Variant]:
    """Return each 40th file, with at least one of each kind of pollution."""
    listed = list(variants())
    kinds = {each.kind: place for place, each in reversed(list(enumerate(listed)))}
    return [listed[place] for place in sorted({*kinds.values(), *range(0, len(listed), 40)})]


def judge_in_parallel(files: Iterable[Variant]) -> list[Judged]:
    """Return the verdicts in order, from one process for each processor."""
    listed = list(files)
    portions = [listed[first : first + BATCH] for first in range(0, len(listed), BATCH)]
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawned) as pool:
        return list(chain.from_iterable(pool.map(_judge_portion, portions)))


def _judge_portion(files: Sequence[Variant]) -> list[Judged]:
    return list(judge_all(files))


def table_of(judged: Iterable[Judged]) -> str:
    """Return a table with the number of files by kind of pollution and verdict."""
    by_kind = verdicts_by_kind(judged)
    every: Counter[Verdict] = sum(by_kind.values(), Counter())
    lines = [_line("kind of pollution", "files", *Verdict), "|---|" + "---:|" * (1 + len(Verdict))]
    for kind, counted in (*by_kind.items(), ("all", every)):
        lines.append(_line(kind.replace("_", " "), counted.total(), *(counted[each] for each in Verdict)))
    return "\n".join(lines)


def _line(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
