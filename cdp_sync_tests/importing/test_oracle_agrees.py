"""The product agrees with the oracle on generated profiles, goals and files, and keeps invariants on any input."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import assume, given, note

from cdp_sync.model import Counters, FileGoal, Profiles
from cdp_sync_tests.generated import SEED, examples
from cdp_sync_tests.importing.processed_histories import processed_histories
from cdp_sync_tests.importing.sides import OracleSide, ProductSide
from cdp_sync_tests.importing.strategies import Delivery, History, deliveries, histories
from cdp_sync_tests.oracle import canonical


@contextmanager
def product() -> Iterator[ProductSide]:
    """The product with an empty warehouse."""
    with tempfile.TemporaryDirectory(prefix="cdp_sync_") as folder:
        yield ProductSide(Path(folder))


@examples(10)
@given(histories())
def test_product_agrees_with_oracle(history: History) -> None:
    """After every run, both have the same profiles, counters, failed files and quarantine."""
    agree(history)


def agree(history: History) -> None:
    """Deliver a history to both sides and compare them run by run."""
    oracle = OracleSide()
    with product() as fast:
        for number, delivery in enumerate(history.deliveries, start=1):
            note(f"run {number}: {delivery.goal} bound to {delivery.objectives}")
            note("".join(f"\n{path}\n{content!r}" for path, content in delivery.contents))
            deliver_to_both(oracle, fast, delivery, history.profiles)


@examples(10)
@given(processed_histories())
def test_product_agrees_with_oracle_about_processors(history: History) -> None:
    """The same for goals with processors, which are added, changed and removed from run to run."""
    agree(history)


def deliver_to_both(oracle: OracleSide, fast: ProductSide, delivery: Delivery, declared: Profiles) -> None:
    """Import the files with both and compare all results."""
    expected = oracle.deliver(delivery.goal, declared, delivery.contents, delivery.objectives)
    found = fast.deliver(delivery.goal, declared, delivery.contents, delivery.objectives)
    assert found.failed.keys() == expected.failed.keys()
    assert found.counters == expected.counters
    assert all(counters.add_up for counters in found.counters.values())
    assert canonical(fast.profiles()) == canonical(oracle.profiles())
    assert fast.identifiers() == fast.identifiers_unnested(declared)
    assert found.kinds == expected.kinds


@examples(3)
@given(deliveries())
def test_known_bytes_change_nothing(case: tuple[Profiles, Delivery]) -> None:
    """Files with known bytes change no profile, and no row is read."""
    declared, delivery = case
    with product() as fast:
        failed = fast.deliver(delivery.goal, declared, delivery.contents, delivery.objectives).failed
        before = canonical(fast.profiles())
        again = fast.deliver(delivery.goal, declared, delivery.contents, delivery.objectives)
        assert canonical(fast.profiles()) == before
        assert again.failed.keys() == failed.keys()
        assert again.total == Counters()


@examples(3)
@given(deliveries())
def test_known_rows_change_nothing(case: tuple[Profiles, Delivery]) -> None:
    """Known rows in files with other bytes change no profile and count as unchanged.

    Examples with rows without consent are left out, since a later row may have changed the consent of their profile.
    """
    declared, delivery = case
    assume(delivery.goal.allow_new_profiles)
    with product() as fast:
        first = fast.deliver(delivery.goal, declared, delivery.contents, delivery.objectives)
        assume(not first.total.rows_without_consent)
        before = canonical(fast.profiles())
        longer = [(path, content + b"\n") for path, content in delivery.contents]
        again = fast.deliver(delivery.goal, declared, longer, delivery.objectives)
        assert canonical(fast.profiles()) == before
        assert again.total.rows_unchanged == first.total.rows_applied
        assert again.total.rows_applied == 0


@examples(3)
@given(deliveries())
def test_order_of_columns_is_irrelevant(case: tuple[Profiles, Delivery]) -> None:
    """Reversing the columns of a file changes neither profiles nor counters.

    Ragged rows are left out: each line of one that spans lines is rejected, and reversing changes the lines.
    """
    declared, delivery = case
    assume(all(len(row) == len(table.columns) for _, table in delivery.files for row in table.rows))
    reversed_delivery = replace(
        delivery, files=tuple((path, table.with_reversed_columns()) for path, table in delivery.files)
    )
    with product() as one, product() as other:
        found = [
            side.deliver(delivery.goal, declared, files.contents, delivery.objectives)
            for side, files in ((one, delivery), (other, reversed_delivery))
        ]
        assert found[0].counters == found[1].counters
        assert canonical(one.profiles()) == canonical(other.profiles())


LINKED = Profiles(
    properties=[{"name": name, "identifier": True, "multiple": True} for name in ("phone", "card", "device")]
)
LINKING = FileGoal(
    name="customers",
    format={"multi_value": ";"},
    link=[{"field": prop.name, "property": prop.name} for prop in LINKED.properties],
)

Edge = tuple[tuple[str, str], tuple[str, str]]


@pytest.mark.parametrize("side", [OracleSide, ProductSide], ids=["oracle", "product"])
@pytest.mark.parametrize(("rows", "people"), [(3000, 1200), (3000, 4000), (2000, 30000)])
def test_new_profiles_are_connected_components(
    side: type[OracleSide] | type[ProductSide], rows: int, people: int, tmp_path: Path
) -> None:
    """Rows that share identifiers become one profile with all their values, where no profile matches."""
    edges = random_edges(random.Random(f"{SEED} {rows} {people}"), rows, people)
    one = side(tmp_path)
    one.deliver(
        LINKING, LINKED, [("/in/a.csv", file_of(edges[: rows // 2])), ("/in/b.csv", file_of(edges[rows // 2 :]))]
    )
    found = {
        frozenset((name, value) for name, values in profile.items() for value in values or [])
        for profile in one.profiles()
    }
    assert found == {frozenset(component) for component in nx.connected_components(nx.Graph(edges))}, SEED


def random_edges(chance: random.Random, rows: int, people: int) -> list[Edge]:
    """Return random pairs of identifiers. Fewer people make longer chains."""
    kinds = [prop.name for prop in LINKED.properties]
    return [
        tuple((chance.choice(kinds), f"v{chance.randrange(1, people)}") for _ in range(2))  # type: ignore[misc]
        for _ in range(rows)
    ]


def file_of(edges: list[Edge]) -> bytes:
    """Return a file with one row for each pair of identifiers."""
    kinds = [prop.name for prop in LINKED.properties]
    rows = (";".join(value for kind, value in edge if kind == name) for edge in edges for name in kinds)
    lines = [",".join(kinds), *(",".join(cells) for cells in zip(*[rows] * len(kinds), strict=True))]
    return "\n".join(lines).encode()
