"""Small file systems for tests that fill a disk."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Small = Callable[[int], Path]


@pytest.fixture(name="small")
def small(tmp_path: Path) -> Iterator[Small]:
    """Mount a disk of so many mebibytes for the test. Skip the test where mounting is not allowed."""
    place = tmp_path / "small"

    def mounted(size: int) -> Path:
        action = "remount," if place.exists() else ""
        place.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"{action}size={size}m", "tmpfs", str(place)]
        if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small disk")
        return place

    yield mounted
    if place.is_mount():
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> None:
    """Write until no byte of the disk is free."""
    with (disk / "filling").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return
