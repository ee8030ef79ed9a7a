"""Settings of the generated tests.

`--hypothesis-profile=long` runs fifty times as many examples, and shrinks those that fail, which takes minutes; the
environment variable CDP_SYNC_SEED names other ones.
"""

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile("long", max_examples=5000)

SEED = int(os.environ.get("CDP_SYNC_SEED", "20240501"))
"""Where generated input starts from; a failing test prints it."""


def examples(percent: int) -> settings:
    """Return settings with so many percent of the profile's examples: by default that is as many examples."""
    phases = list(Phase) if settings.default.max_examples > 100 else [Phase.explicit, Phase.generate]
    return settings(
        phases=phases,
        max_examples=settings.default.max_examples * percent // 100,
        deadline=None,
        print_blob=True,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
