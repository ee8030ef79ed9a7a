"""The memory of sessions follows the machine."""

from pathlib import Path

import pytest

from cdp_sync.errors import SettingUnusable
from cdp_sync.warehouse import Warehouse, memory
from cdp_sync.warehouse.memory import SETTING, fitting, memory_of_machine, threads_of_machine

GIB = 1 << 30

MACHINES = [
    # memory, threads, MB
    (1 * GIB, 1, 700),
    (2 * GIB, 2, 700),
    (4 * GIB, 4, 1073),  # a quarter of it, rather than 350 for each thread
    (5 * GIB, 2, 700),
    (8 * GIB, 2, 1073),
    (8 * GIB, 8, 2147),
    (24 * GIB, 2, 3221),
    (64 * GIB, 64, 17179),
]


@pytest.mark.parametrize(("size", "threads", "expected"), MACHINES)
def test_limits_of_machines(size: int, threads: int, expected: int) -> None:
    """More memory and more threads give more, never less than 700 MB."""
    assert fitting(size, threads) == expected


def test_the_limit_of_a_service_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The narrowest limit of the groups that a process lies in counts, as a service manager or a container sets it."""
    for group, limit in (("", "max"), ("/system.slice", f"{4 * GIB}"), ("/system.slice/sync.service", "max")):
        place = tmp_path / "groups" / group.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        (place / "memory.max").write_text(f"{limit}\n", encoding="ascii")
    named = tmp_path / "named"
    named.write_text("0::/system.slice/sync.service\n", encoding="ascii")
    monkeypatch.setattr(memory, "_GROUPS", str(named))
    monkeypatch.setattr(memory, "_LIMITS", (f"{tmp_path / 'groups'}{{}}/memory.max",))
    assert memory_of_machine() == 4 * GIB


def test_duckdb_obeys_the_machine(tmp_path: Path) -> None:
    """A session has the limit that fits the machine, and as many threads as were counted."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("write") as session:
        mib = float(session.value("select rtrim(current_setting('memory_limit'), ' MGiB')::double"))
        unit = session.value("select right(current_setting('memory_limit'), 3)")
        threads = session.value("select current_setting('threads')")
    found = mib * {"MiB": 1 << 20, "GiB": 1 << 30}[unit]
    assert found == pytest.approx(fitting(memory_of_machine(), threads_of_machine()) * 1e6, rel=0.05)
    assert threads == threads_of_machine()


def test_a_setting_overrides_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`CDP_SYNC_MEMORY` counts; a goal's own limit counts more."""
    monkeypatch.setenv(SETTING, "900 MiB")
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    for each, expected in ((warehouse, "900.0 MiB"), (warehouse.within("200MiB"), "200.0 MiB")):
        with each.open("write") as session:
            assert session.value("select current_setting('memory_limit')") == expected


@pytest.mark.parametrize("said", ["lots", "-1GB", "700", "1GB; drop table profile"])
def test_a_setting_that_is_no_size(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no size is refused with what would be one."""
    monkeypatch.setenv(SETTING, said)
    with pytest.raises(SettingUnusable, match=r"CDP_SYNC_MEMORY is .*a size in MB or GB.*4GB"):
        Warehouse(Path("warehouse.duckdb"))
