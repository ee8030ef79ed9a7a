"""The clock of a machine that is off, for the modules of the product in this process."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from types import ModuleType
from typing import Any

import pytest


class _Reading(type):
    """Makes every datetime an instance, as those are that the product makes and receives."""

    off = timedelta()

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)

    def __getattr__(cls, name: str) -> Any:
        return getattr(datetime, name)

    def __call__(cls, *arguments: Any, **named: Any) -> datetime:
        return datetime(*arguments, **named)  # noqa: DTZ001 - as the product calls it

    def now(cls, zone: tzinfo | None = None) -> datetime:
        """Return what the clock shows."""
        return datetime.now(zone) + cls.off


@contextmanager
def clock_off(by: timedelta) -> Iterator[None]:
    """Let the clock of the product's modules be off by so much; DuckDB's stays right."""
    clock = _Reading("datetime", (), {})
    clock.off = by
    right = time.time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: right() + by.total_seconds())
        for module in _modules():
            if vars(module).get("datetime") is datetime:
                patch.setattr(module, "datetime", clock)
        yield


def _modules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.partition(".")[0] == "cdp_sync"]
