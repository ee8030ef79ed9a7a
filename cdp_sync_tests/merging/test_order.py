"""Any order of files, runs and rows ends with the same clusters, values and events."""

import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from cdp_sync_tests.generated import SEED, examples
from cdp_sync_tests.merging.lasting_files import Lasting, runs
from cdp_sync_tests.merging.merge_oracle import Who
from cdp_sync_tests.merging.merge_side import MergeSide, Seen, expected, fewer_holders

KEYS = ("number", "card")

Person = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""The keys of the parts of a live profile, and what it shows."""


WORLDS = 40
"""Histories that an example has side by side."""


@examples(1)
@given(st.integers(0, 2**32))
def test_order_does_not_matter(number: int) -> None:
    """Imported in two orders, files end with the same people, which are those of the oracle."""
    import_in_two_orders(number, WORLDS, 2 + number % 4)


def import_in_two_orders(number: int, worlds: int, files: int) -> None:
    """Import random files twice, and compare."""
    chance = random.Random(f"{SEED} {number}")
    lasting = Lasting(chance, worlds)
    declared, most_holders = lasting.model(), chance.choice((3, 5, 20))
    every = list(lasting.files(files))
    note(f"{declared.survivor} {[rule.words for rule in declared.merge_rules]} most holders: {most_holders}")
    who = Who(declared, most_holders=most_holders)
    with fewer_holders(most_holders):
        found = [imported(declared, runs(chance, every)) for _ in range(2)]
    for run in runs(chance, every):
        who.import_files(run.goal, run.files)
    wanted = people(expected(who))
    assert found == [wanted, wanted]


def imported(declared: Any, every: Any) -> list[Person]:
    """Return the people after some runs."""
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        product = MergeSide(Path(folder), declared)
        for run in every:
            note(f"--- {run}")
            product.deliver(run.goal, run.files)
        return people(product.look())


def people(seen: Seen) -> list[Person]:
    """Return people without what depends on who was created first: ids, keys, and the order of lists."""
    parts = {place: next(own[key] for key in KEYS if key in own) for place, own in seen.own.items()}
    return sorted(
        (
            tuple(sorted(key for place, key in parts.items() if seen.live[place] == holder)),
            tuple(sorted((name, in_order(text)) for name, text in shown.items() if name not in KEYS)),
        )
        for holder, shown in seen.shown.items()
    )


def in_order(text: str) -> str:
    """Return a list's values in alphabetical order."""
    return ";".join(sorted(text.split(";")))
