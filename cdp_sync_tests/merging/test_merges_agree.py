"""Merging agrees with a second implementation on generated histories of imports and decisions."""

import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from cdp_sync.errors import CannotMerge, CannotUnmerge
from cdp_sync.merging.report import Merges
from cdp_sync.model import Counters
from cdp_sync_tests.generated import SEED, examples
from cdp_sync_tests.merging.destination import Destination
from cdp_sync_tests.merging.files_out import FilesSide
from cdp_sync_tests.merging.merge_histories import Decide, Import, Story, declared_anew, model
from cdp_sync_tests.merging.merge_oracle import CannotDecide, Outcome, Who
from cdp_sync_tests.merging.merge_side import MergeSide, Seen, counted_merges, expected, fewer_holders
from cdp_sync_tests.oracle.linking import values_held

WORLDS = 20
"""Histories that an example has side by side: 2,000 in all with `--hypothesis-profile=long`, 40 by default."""


@examples(2)
@given(st.integers(0, 2**32))
def test_merges_agree_with_the_oracle(number: int) -> None:
    """After every step both have the same clusters, values, identifiers, persons of events and counters.

    After some steps, exports of changes have sent what was missing, and nothing else.
    """
    agree(number, WORLDS, 2 + number % 3)


@examples(1)
@given(st.integers(0, 2**32))
def test_exports_of_few_people_agree(number: int) -> None:
    """The same with few people, so that more of them are sent both before and after a decision about them."""
    agree(number, 3, 3)


def agree(number: int, worlds: int, steps: int) -> None:
    """Let both go through a random history, and compare them step by step."""
    chance = random.Random(f"{SEED} {number}")
    declared = model(chance)
    note(f"{declared.survivor} {[rule.words for rule in declared.merge_rules]}")
    note(f"{[(prop.name, prop.merged_by, prop.unique) for prop in declared.properties]}")
    most_holders = chance.choice((3, 5, 20))
    note(f"most holders: {most_holders}")
    who = Who(declared, most_holders=most_holders)
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder, fewer_holders(most_holders):
        product, outside, exports = FilesSide(Path(folder), declared), Destination(), random.Random(number)
        for step in Story(chance, worlds, steps, decisions=6):
            note(f"--- {step}")
            if isinstance(step, Import):
                import_with_both(who, product, step)
            else:
                decide_with_both(who, product, step)
            compare(product.look(), expected(who))
            outside.step(who)
            if exports.random() < 0.5:
                outside.export(who, product)


def compare(found: Seen, wanted: Seen) -> None:
    """Compare who is who, piece by piece, so that a failure names what differs."""
    assert found.live == wanted.live
    assert found.own == wanted.own
    assert found.shown == wanted.shown
    assert found.linking == wanted.linking
    assert found.events == wanted.events


def import_with_both(who: Who, product: MergeSide, step: Import) -> None:
    """Import files with both, and compare the counters."""
    done = who.import_files(step.goal, step.files)
    report = product.deliver(step.goal, step.files)
    assert all(file.counters.add_up for file in report.files)
    found = {file.path: row_counters(file.counters) for file in report.files}
    wanted = {path: row_counters(counters) for path, counters in done.counters.items()}
    assert found == wanted
    assert counted_merges(product) == (done.merged, done.unmerged)


def row_counters(counters: Counters) -> dict[str, int]:
    """Return the counters of rows, values and new profiles that are not 0."""
    return {
        name: n for name, n in vars(counters).items() if n and name.startswith(("rows_", "values_", "profiles_created"))
    }


def decide_with_both(who: Who, product: MergeSide, step: Decide) -> None:
    """Decide with both, at times after a preview; what cannot be decided changes nothing."""
    if step.kind == "declare":
        product.declared = declared_anew(random.Random(step.chances[0]), who.declared)
        note(f"{product.declared.survivor} {[rule.words for rule in product.declared.merge_rules]}")
        note(f"{[(prop.name, prop.merged_by, prop.unique) for prop in product.declared.properties]}")
        compare_outcomes(product.apply_rules(), who.declare(product.declared))
        return
    mine = [place for place, part in enumerate(who.parts) if re.search(rf"{step.world}(?!\d)", str(part))]
    if not mine:
        return
    merged = [part for part in mine if len(who.cluster_of(part)) > 1]
    some = merged if merged and step.kind in ("unmerge", "split") and step.chances[1] < 0.9 else mine
    one, other = (some[int(each * len(some))] for each in step.chances[:2])
    both = sorted({value for part in who.cluster_of(one) for value in values_held(who.parts[part], who.declared)})
    chosen = random.Random(step.chances[2]).sample(both, int(step.chances[3] * len(both)))
    named = [value for value in both if value[1] in {each for _, each in chosen}]
    ids = product.ids
    note(f"{one} {other} {named}")
    work: dict[str, tuple[Callable[[], Outcome], Callable[..., Merges]]] = {
        "rules": (who.apply_rules, product.apply_rules),
        "merge": (lambda: who.merge(one, other), lambda **how: product.merge(ids[one], ids[other], **how)),
        "unmerge": (lambda: who.unmerge(one), lambda **how: product.unmerge(ids[one], **how)),
        "split": (
            lambda: who.split(one, named),
            lambda **how: product.unmerge(ids[one], identifiers=[each for _, each in named], **how),
        ),
    }
    slow, fast = work["unmerge" if step.kind == "split" and not named else step.kind]
    try:
        outcome: Any = slow()
    except CannotDecide:
        with pytest.raises((CannotMerge, CannotUnmerge)):
            fast()
        return
    if step.chances[3] < 0.3:
        compare_outcomes(fast(preview=True), outcome)
    compare_outcomes(fast(), outcome)


def compare_outcomes(found: Merges, wanted: Outcome) -> None:
    """Compare how many profiles were merged and unmerged."""
    assert (found.merged, found.unmerged) == (wanted.merged, wanted.unmerged)
