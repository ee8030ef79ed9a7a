"""An Iterable of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp_sync.sandbox.iterable import IterableSandbox
from cdp_sync_tests.iterable.exchange import Crm, iterable, users_goal


@pytest.fixture
def box() -> Iterator[IterableSandbox]:
    """An Iterable with nobody in it, at noon."""
    with iterable() as served:
        yield served


@pytest.fixture
def crm(box: IterableSandbox, tmp_path: Path) -> Crm:
    """A goal that imports all users into an empty warehouse."""
    return Crm(folder=tmp_path / "crm", box=box, goal=users_goal())
