"""What tests of Bluecore's exports through Dagster need."""

from collections.abc import Iterator

import dagster as dg
import pytest


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance that keeps its history in memory."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made
