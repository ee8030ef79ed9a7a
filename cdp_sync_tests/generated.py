"""The amount and the seed of generated input. The seed is fixed by default, so test runs are reproducible.

The environment variable CDP_SYNC_SEED names other input; `--hypothesis-profile=long` makes fifty times as much of it,
and shrinks what fails, which takes minutes.
"""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

settings.register_profile("always", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("long", settings.get_profile("always"), max_examples=5000)

SEED = int(os.environ.get("CDP_SYNC_SEED", "20240501"))
"""Seed of the generated input; the summary prints it."""


def examples(percent: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Run so many percent of the profile's examples, from the seed. The default is 100 percent."""
    phases = list(Phase) if settings.default.max_examples > 100 else [Phase.explicit, Phase.generate]
    chosen = settings(
        phases=phases,
        max_examples=settings.default.max_examples * percent // 100,
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: seed(SEED)(chosen(test))
