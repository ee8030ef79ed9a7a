"""Testing whether a value is in a list of words, such as allowed values or blocked identifiers."""

import random

import duckdb
import pytest

from cdp_sync.importing.converting.conversion import is_among
from cdp_sync_tests.generated import SEED

LETTERS = ("a", "B", "é", "'", "\U0001f600", " ", "%", "$1", "\\")


@pytest.mark.parametrize("count", [1, 2, 40, 3000])
def test_a_value_is_found_in_short_and_long_lists(count: int) -> None:
    """Words of any length and alphabet are found; other values, blanks and null are not."""
    rng = random.Random(f"{SEED} {count}")
    words, others = ([_word(rng) for _ in range(most)] for most in (count, 200))
    values = [None, "", "a" * 10_000, *words, *others]
    with duckdb.connect() as connection:
        connection.execute("create table given as select unnest($values)::varchar as value", {"values": values})
        answers = [found for (found,) in connection.execute(f"select {is_among('value', words)} from given").fetchall()]
    assert answers == [value in words for value in values], SEED


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(LETTERS, k=rng.randrange(12)))
