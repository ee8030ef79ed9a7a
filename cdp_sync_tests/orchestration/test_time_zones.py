"""A machine's time zone does not matter: what lands, and what is exported, is the same in each."""

from pathlib import Path
from typing import Any

import pytest

from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.orchestration.shared_history import worker
from cdp_sync_tests.projects import Project, export, goal

ZONES = ("UTC", "Pacific/Kiritimati", "America/St_Johns")
"""None ahead, 14 hours ahead, and two and a half hours and a half slow, in summer."""

PROPERTIES = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "total", "type": "decimal"},
    {"name": "born", "type": "date"},
    {"name": "seen", "type": "datetime"},
]
SHOPPERS = goal(
    link=[{"field": "Email", "property": "email"}],
    map=[
        {"field": "Total", "property": "total"},
        {"field": "Born", "property": "born"},
        {"field": "Seen", "property": "seen"},
    ],
    events=[{"type": "visit", "id": "Visit", "time": "Seen", "map": []}],
)
FILE = """Email,Total,Born,Seen,Visit
ada@example.com,3,1990-03-25,2026-03-29T01:30:00,v1
bob@example.com,4,1990-12-31,2026-03-28T23:59:59Z,v2
cid@example.com,5,2000-01-01,2026-07-01T00:00:00+02:00,v3
dan@example.com,6,2000-02-29,2026-10-25 02:30:00,v4
"""
SPENDERS = export(
    map=[
        {"field": "Email", "property": "email"},
        {"field": "Born", "property": "born"},
        {"field": "Seen", "property": "seen"},
    ]
)


def found(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """Return what landed, as text in UTC, without ids and moments of the runs."""
    queries = {
        "profiles": "select email, total, born::text, epoch_us(seen) from warehouse.profile order by all",
        "events": "select event_id, epoch_us(happened_at) from warehouse.event_visit order by all",
        "files": "select path, size, epoch_us(modified_at), sha256 from warehouse.imported_file order by all",
        "refused": "select line, field, value, reason from warehouse.quarantine order by all",
    }
    with warehouse.open("read") as session:
        return {name: session.rows(query) for name, query in queries.items()}


@pytest.mark.slow
def test_time_zones_of_machines_do_not_matter(project: Project, tmp_path: Path) -> None:
    """The same file imported and exported by machines in three time zones yields the same rows and the same file."""
    project.describe(
        properties=PROPERTIES,
        event_types=[{"name": "visit"}],
        segments=[
            {
                "name": "spenders",
                "title": "Spent 4 or more, and was seen",
                "when": {"all": [{"property": "total", "at_least": 4}, {"property": "seen", "has_value": True}]},
            }
        ],
    )
    project.connect("shop", SHOPPERS, export_profiles=[SPENDERS])
    project.deliver("/inbox/customers_1.csv", FILE)
    landed, exported = [], []
    for zone in ZONES:
        data = tmp_path / zone.replace("/", "_")
        with worker(project, "run", "shop", TZ=zone, CDP_SYNC_DATA=str(data)) as running:
            assert running.ended() == 0, (project.folder / "worker.log").read_text()
        landed.append(found(Warehouse(data / "warehouse.duckdb")))
        (delivered,) = (project.root / "outbox").iterdir()
        exported.append(sorted(delivered.read_text().splitlines()))
        delivered.unlink()
    assert landed[0]["profiles"]
    assert landed == landed[:1] * len(ZONES)
    assert exported == exported[:1] * len(ZONES)
