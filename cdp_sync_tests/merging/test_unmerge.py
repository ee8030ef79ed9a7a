"""Unmerging gives each side what it would have had without the merge, and no file merges them again."""

import random
import re
import tempfile
from pathlib import Path

from hypothesis import given, note
from hypothesis import strategies as st

from cdp_sync.model import FileGoal
from cdp_sync_tests.generated import SEED, examples
from cdp_sync_tests.merging.merge_histories import START, Import, Story, model
from cdp_sync_tests.merging.merge_oracle import Who
from cdp_sync_tests.merging.merge_side import MergeSide, expected, texts

WORLDS = 40
"""Histories that an example has side by side."""


@examples(1)
@given(st.integers(0, 2**32))
def test_unmerged_profiles_are_as_without_the_merge(number: int) -> None:
    """After any history: own values, shown values and persons of events; then the files again, and a new one."""
    unmerge_after(number, WORLDS)


def unmerge_after(number: int, worlds: int) -> None:
    """Import files, take merged profiles apart, import the files again under other names, and a file for all."""
    chance = random.Random(f"{SEED} {number}")
    declared = model(chance)
    note(f"{declared.survivor} {[rule.words for rule in declared.merge_rules]}")
    note(f"{[(prop.name, prop.merged_by, prop.unique) for prop in declared.properties]}")
    who, without = Who(declared), Who(declared.model_copy(update={"merge_rules": ()}))
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        product = MergeSide(Path(folder), declared)

        def deliver(run: Import) -> None:
            note(f"--- {run}")
            product.deliver(run.goal, run.files)
            who.import_files(run.goal, run.files)
            without.import_files(run.goal, run.files)

        runs = [step for step in Story(chance, worlds, 3, decisions=0) if isinstance(step, Import)]
        for run in runs:
            deliver(run)
        product.look()
        apart = [unmerge_one(chance, who, product, cluster) for cluster in who.clusters() if len(cluster) > 1]
        check(who, without, product)
        for run in again(runs):
            deliver(run)
        deliver(for_everybody(who))
        check(who, without, product)
        live = who.live()
        assert all(live[part] != live[other] for part, others in apart for other in others)


def unmerge_one(chance: random.Random, who: Who, product: MergeSide, cluster: set[int]) -> tuple[int, set[int]]:
    """Take one of the parts of a profile out of it; return it and the others."""
    part = chance.choice(sorted(cluster))
    note(f"unmerge {part} of {cluster}")
    done, merges = who.unmerge(part), product.unmerge(product.ids[part])
    assert (merges.merged, merges.unmerged) == (done.merged, done.unmerged)
    return part, cluster - {part}


def check(who: Who, without: Who, product: MergeSide) -> None:
    """Compare the product with the oracle, and profiles that are not merged with those of a world without rules."""
    found, wanted = product.look(), expected(who)
    assert found == wanted
    parts = {place: texts(who.declared, part) for place, part in enumerate(without.parts)}
    assert found.own == parts
    alone = {place for place in found.shown if list(found.live.values()).count(place) == 1}
    assert {place: found.shown[place] for place in alone} == {place: parts[place] for place in alone}
    assert all(found.events[event] == found.live[part] for event, part in without.events.items())


def again(runs: list[Import]) -> list[Import]:
    """Return the runs with their files under other names, so that every row is applied again."""
    return [Import(run.goal, tuple((f"{path}.again", data, at) for path, data, at in run.files)) for run in runs]


def for_everybody(who: Who) -> Import:
    """Return a file by which everybody in a world who has a number or a card gets the same address and phone."""
    goal = FileGoal(
        name="everybody",
        link=[{"field": "Number", "property": "number"}, {"field": "Card", "property": "card"}],
        map=[
            {"field": "Email", "property": "emails", "mode": "add"},
            {"field": "Phone", "property": "phones", "mode": "add"},
        ],
        allow_new_profiles=False,
    )
    keys = dict.fromkeys((name, part[name]) for part in who.parts for name in ("number", "card") if name in part)
    lines = ["Number,Card,Email,Phone"]
    for name, value in keys:
        world = re.match(r"w\d+", value)[0]  # type: ignore[index]  # every key begins with it
        named = f"{value}," if name == "number" else f",{value}"
        lines.append(f"{named},{world}all@x,{world}everybody")
    return Import(goal, (("/everybody.csv", "\n".join(lines).encode(), START),))
