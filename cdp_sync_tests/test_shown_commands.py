"""The commands that README and docs/operating.md show work as they stand after `make demo`."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from cdp_sync.sandbox.stage import Stage
from cdp_sync_tests.test_documentation import OPERATING, README, ROOT, blocks
from cdp_sync_tests.trail import victim

LINES = [
    re.sub(r"\s+# .*", "", line.removeprefix("$ "))
    for line in "\n".join(blocks(README + OPERATING, "console")).splitlines()
    if line.startswith("$ cdp-sync ") and not line.startswith("$ cdp-sync sandbox")
]


def status_of(line: str, folder: Path, environ: dict[str, str]) -> int | None:
    """Run a command line in a folder, and return the status that it ends with."""
    arguments = shlex.split(line)[1:]
    return victim.exit_code(victim.start(victim.command, arguments, folder, environ, None), patience=250)


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder in which the demonstration was run, and the environment beside its running servers."""
    folder = tmp_path_factory.mktemp("demonstrated")
    for name in ("dagster.yaml", "workspace.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    assert status_of("cdp-sync demo", folder, {}) == 0
    with patch.dict(os.environ), Stage(sailthru_port=0, folder=folder / "data" / "sandbox") as stage:
        yield folder, dict(stage.environment)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands_that_are_shown_succeed(demonstrated: tuple[Path, dict[str, str]]) -> None:
    """Each ends with status 0; none names a connection, goal, segment or person that is not there."""
    assert len(LINES) > 10
    assert [line for line in LINES if status_of(line, *demonstrated) != 0] == []
