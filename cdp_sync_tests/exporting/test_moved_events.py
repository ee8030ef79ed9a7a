"""An event whose time an import corrects: the files of both days are delivered again, and it is in one of them."""

from datetime import UTC, datetime
from pathlib import Path

from cdp_sync.model import EventCounters
from cdp_sync_tests.exporting.event_exporter import EventExporter, goal, opened
from cdp_sync_tests.trail.importer import Importer
from cdp_sync_tests.trail.importer import goal as import_goal

ENTRY = {"type": "opened", "id": "Id", "time": "At", "map": [{"field": "Campaign", "property": "campaign"}]}
HEADER = "Email,Id,At,Campaign\n"
FIRST = "p1@example.com,o1,2024-05-01 10:00:00,spring\n"
SECOND = "p1@example.com,o2,2024-05-01 11:00:00,spring\n"


def test_an_event_of_another_day_leaves_the_file_of_the_former_day(tmp_path: Path) -> None:
    """Also where the former day has no event any more: its file is replaced by one without rows."""
    exporter = EventExporter(tmp_path / "out", goal(window="day", file={"name": "esp.csv"}))
    declared = import_goal(map=[], events=[ENTRY])
    importer = Importer(tmp_path / "in", declared, exporter.profiles, warehouse=exporter.warehouse)
    importer.deliver({"/inbox/opens.csv": HEADER + FIRST + SECOND})
    exporter.now = datetime.now(UTC)
    exporter.run()
    assert exporter.ids() == {"esp_20240501.csv": ["o1", "o2"]}
    importer.deliver({"/inbox/corrected.csv": HEADER + FIRST.replace("05-01", "05-02")})
    exporter.run()
    assert exporter.ids() == {"esp_20240501.csv": ["o2"], "esp_20240502.csv": ["o1"]}
    importer.deliver({"/inbox/corrected_2.csv": HEADER + SECOND.replace("05-01", "05-02")})
    exporter.run()
    assert exporter.ids() == {"esp_20240501.csv": [], "esp_20240502.csv": ["o1", "o2"]}
    assert exporter.run().counters == EventCounters()


def test_an_event_of_the_same_day_is_delivered_with_it(tmp_path: Path) -> None:
    """A time that changes within its day notes no day, and delivers that day again."""
    exporter = EventExporter(tmp_path / "out", goal(window="day", file={"name": "esp.csv"}))
    declared = import_goal(map=[], events=[ENTRY])
    importer = Importer(tmp_path / "in", declared, exporter.profiles, warehouse=exporter.warehouse)
    importer.deliver({"/inbox/opens.csv": HEADER + FIRST + SECOND})
    importer.deliver({"/inbox/corrected.csv": HEADER + FIRST.replace("10:00", "23:59")})
    assert exporter.rows("select count(*) from warehouse.left_day") == [(0,)]


def test_a_former_day_that_python_has_no_value_for_is_passed_over(tmp_path: Path) -> None:
    """A file of a day after the year 9999 cannot have been delivered; other days are."""
    exporter = EventExporter(tmp_path, goal(window="day", file={"name": "esp.csv"}))
    exporter.hold([opened(1)])
    exporter.counters(days=1)
    exporter.change("insert into warehouse.left_day values ('opened', date '12000-01-01', timestamptz '2200-01-01')")
    exporter.hold([opened(2)])
    assert exporter.counters(days=1).events_written == 2
