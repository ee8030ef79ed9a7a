"""How much memory DuckDB may use in a session; beyond it spills to disk. The one place that decides it."""

import os
import re
from contextlib import suppress
from pathlib import Path

from cdp_sync.errors import SettingUnusable

SETTING = "CDP_SYNC_MEMORY"
LEAST = 700
"""MB that a small machine gives: an import of ten million profiles stays within it."""

_SHARE = 8
"""One in so many bytes of the machine: several runs, the UI and the page cache share it."""

_OF_A_THREAD = 350
"""MB that each thread needs for what it sorts, joins and writes at a time."""

_GROUPS = "/proc/self/cgroup"
_LIMITS = ("/sys/fs/cgroup{}/memory.max", "/sys/fs/cgroup/memory{}/memory.limit_in_bytes")
"""Where the limit of a control group of Linux stands, in either version of them; that of a container has no path."""


def memory_limit() -> str:
    """Return what DuckDB may keep in memory: the setting `CDP_SYNC_MEMORY`, or what fits this machine.

    Raises:
        SettingUnusable: The setting is no size.
    """
    named = os.environ.get(SETTING, "").strip()
    if not named:
        return f"{fitting(memory_of_machine(), threads_of_machine())}MB"
    if re.fullmatch(r"\d+(\.\d+)? ?[MG]i?B", named, re.IGNORECASE) is None:
        raise SettingUnusable(
            f"{SETTING} is {named!r}.",
            needed="Needed is a size in MB or GB.",
            remedy="Set it to one such as 700MB or 4GB.",
        )
    return named


def fitting(memory: int, threads: int) -> int:
    """Return the MB for a session on a machine with so many bytes of memory, where it uses so many threads.

    >>> fitting(4 << 30, 2), fitting(16 << 30, 4), fitting(64 << 30, 16)
    (700, 2147, 8589)
    """
    memory //= 1_000_000
    return max(LEAST, memory // _SHARE, min(threads * _OF_A_THREAD, memory // 4))


def memory_of_machine() -> int:
    """Return the bytes of memory of this machine, or of the container or service that the process runs in."""
    known = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for group in ("", *_groups()):
        for file in _LIMITS:
            with suppress(OSError, ValueError):  # not there, or `max`
                known.append(int(Path(file.format(group)).read_text(encoding="ascii")))
    return min(known)


def _groups() -> set[str]:
    """Return the control groups of this process, as paths, with those that these lie in."""
    with suppress(OSError):
        named = [line.split(":", 2)[2] for line in Path(_GROUPS).read_text(encoding="utf-8").splitlines()]
        return {str(each) for path in named for each in (Path(path), *Path(path).parents) if str(each) != "/"}
    return set()


def threads_of_machine() -> int:
    """Return how many processors this process may use, which is how many threads DuckDB starts."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
