"""An Iterable of a test's own."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cdp_sync.sandbox.iterable import IterableSandbox

    from cdp_sync_tests.iterable.exchange import Crm

collect_ignore_glob = [] if find_spec("cdp_sync.sandbox.iterable") else ["test_*.py"]
"""The tests need the sandbox."""


@pytest.fixture
def box() -> "Iterator[IterableSandbox]":
    """An Iterable with nobody in it, at noon."""
    from cdp_sync_tests.iterable.exchange import iterable

    with iterable() as served:
        yield served


@pytest.fixture
def crm(box: "IterableSandbox", tmp_path: Path) -> "Crm":
    """A goal that imports all users into an empty warehouse."""
    from cdp_sync_tests.iterable.exchange import Crm, users_goal

    return Crm(folder=tmp_path / "crm", box=box, goal=users_goal())
