"""The tests of the warehouse make each of theirs by its migrations."""

import pytest


@pytest.fixture(autouse=True)
def new_warehouses() -> None:
    """Leave the making of new warehouses as it is."""
