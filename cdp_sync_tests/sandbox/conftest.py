"""The Sailthru sandbox with a simulated clock, and the vendor's official client."""

from collections.abc import Iterator

import pytest
from sailthru.sailthru_client import SailthruClient

from cdp_sync.sandbox.sailthru import Clock, SailthruSandbox

START = 1_633_218_409.0
"""Sat, 02 Oct 2021 19:46:49 -0400, eleven seconds before the end of a minute."""


@pytest.fixture
def box() -> Iterator[SailthruSandbox]:
    """Return an account in New York without users."""
    with SailthruSandbox(api_key="key", api_secret="s3cr3t", clock=Clock(START)) as served:
        yield served


@pytest.fixture
def client(box: SailthruSandbox) -> SailthruClient:
    """Return the vendor's official client."""
    return SailthruClient("key", "s3cr3t", api_url=box.url)
