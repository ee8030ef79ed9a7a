"""The garbage collector, left out while a project is loaded."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Import and declare without the collector: all of that stays, and it would search it in vain.

    That takes a tenth of the start. Afterwards the collector leaves out what is there.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.freeze()
            gc.enable()
