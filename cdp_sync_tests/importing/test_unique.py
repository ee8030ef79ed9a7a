"""Removing repeated values from a list keeps the order of first occurrences."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdp_sync.importing.converting.conversion import unique
from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.importing.sides import ProductSide

LENGTHS = (0, 1, 2, 3, 7, 999, 1000, 1001, 1500)

VALUES = {
    "varchar": lambda number: ("é" * (number % 3)) + str(number),
    "bigint": lambda number: number - 400,
    "decimal(18, 4)": lambda number: Decimal(number) / 4,
    "date": lambda number: date(1999, 12, 1) + timedelta(number),
    "boolean": lambda number: number % 2 == 0,
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_keep_the_order_of_first_occurrence(kind: str) -> None:
    """Short and long lists give the keys of a dict; null stays null."""
    lists = [None, *_lists(kind, random.Random(f"{SEED} {kind}"))]
    with duckdb.connect() as connection:
        connection.execute(f"create table given as select unnest($lists)::{kind}[] as list", {"lists": lists})
        answers = [found for (found,) in connection.execute(f"select {unique('list')} from given").fetchall()]
    assert answers == [each if each is None else list(dict.fromkeys(each)) for each in lists], SEED


def _lists(kind: str, rng: random.Random) -> Iterator[list[Any]]:
    for length in LENGTHS:
        for different in (1, 3, 900, 100_000):
            yield [VALUES[kind](rng.randrange(different)) for _ in range(length)]


def test_a_profile_may_collect_many_values(tmp_path: Path) -> None:
    """A profile may collect more than 60,000 values from 100,000 rows over two imports."""
    declared = Profiles(properties=[{"name": "id", "identifier": True}, {"name": "visited", "multiple": True}])
    mapped = [{"field": "visited", "property": "visited", "mode": "add"}]
    link = [{"field": "id", "property": "id"}]
    goal = FileGoal(name="visits", directory="/in", files="*.csv", link=link, map=mapped)
    pages = [f"page {number * 7919 % 70_000}" for number in range(100_000)]
    product = ProductSide(tmp_path)
    for name, seen in (("/in/a.csv", pages[:60_000]), ("/in/b.csv", pages)):
        product.deliver(goal, declared, [(name, _visits(seen))])
        assert product.profiles() == [{"id": "one", "visited": list(dict.fromkeys(seen))}]


def _visits(pages: list[str]) -> bytes:
    return "".join(["id,visited\n", *(f"one,{page}\n" for page in pages)]).encode()
