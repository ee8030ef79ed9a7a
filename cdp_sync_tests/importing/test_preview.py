"""The preview of a goal on a file's first rows."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.importing.preview import Preview, preview
from cdp_sync.model import EventType, FileGoal, Profiles
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.warehouse.holder import held

PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "total", "type": "decimal", "scale": 2},
            {"name": "count", "type": "number"},
            {"name": "born", "type": "date"},
            {"name": "seen", "type": "datetime"},
            {"name": "news", "type": "boolean"},
            {"name": "city"},
        ]
    }
)
ORDERS = (EventType.model_validate({"name": "order", "ready_made": True}),)
FORMAT = {"separator": ";", "decimal": ",", "dates": ["%d-%m-%Y", "%d-%m-%Y %H:%M"], "time_zone": "Europe/Amsterdam"}
MAP = {"Total": "total", "Count": "count", "Born": "born", "Seen": "seen", "News": "news", "City": "city"}
TEXT = (
    b"Email;Total;Count;Born;Seen;News;City;Extra\n"
    b"a@x.nl;1,50;7;31-12-2024;01-07-2024 12:00;yes;Utrecht;z\n"
    b"b@x.nl;1.50;x;2024-12-31;;perhaps;;\n"
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse whose file does not exist yet."""
    return Warehouse(tmp_path / "warehouse.duckdb", lock_timeout=0.1)


def goal(**form: Any) -> FileGoal:
    """Return a goal that maps every property."""
    return FileGoal.model_validate(
        {
            "name": "customers",
            "format": FORMAT | form,
            "link": [{"field": "Email", "property": "email"}],
            "map": [{"field": field, "property": name} for field, name in MAP.items()],
        }
    )


def cells(shown: Preview) -> dict[tuple[str, str], str | None]:
    """Return the value that each cell converts to, by field and cell."""
    return {(reading.field, reading.cell): reading.value for reading in shown.readings}


def test_a_preview_lists_fields_and_unmapped_fields(warehouse: Warehouse) -> None:
    """A preview lists the file's fields in order, and those that the goal does not use."""
    shown = preview("/in/a.csv", TEXT, goal(), PROFILES, warehouse)
    assert (shown.path, shown.message) == ("/in/a.csv", "")
    assert shown.fields == ("Email", "Total", "Count", "Born", "Seen", "News", "City", "Extra")
    assert shown.unmapped == ("Extra",)


def test_cells_of_events_are_shown_as_they_read(warehouse: Warehouse) -> None:
    """Times and numbers of events, and of the items of rows, are shown by type and property."""
    orders = {
        "type": "order",
        "id": "Email",
        "time": "Seen",
        "map": [{"field": "Total", "property": "total_revenue"}],
        "items": {"products": {"id": "City", "map": [{"field": "Count", "property": "quantity"}]}},
    }
    declared = FileGoal.model_validate(goal().model_dump(exclude={"map"}) | {"events": [orders]})
    shown = preview("/in/a.csv", TEXT, declared, PROFILES.model_copy(update={"event_types": ORDERS}), warehouse)
    assert {(each.property, each.cell): each.value for each in shown.readings} == {
        ("order.time", "01-07-2024 12:00"): "2024-07-01 12:00:00+02",
        ("order.total_revenue", "1,50"): "1.5000",
        ("order.total_revenue", "1.50"): None,
        ("order.quantity", "7"): "7",
        ("order.quantity", "x"): None,
    }


def test_a_row_key_counts_as_mapped_and_is_required(warehouse: Warehouse) -> None:
    """The fields of `row_key` count as used; a file without them is refused, as an import would refuse it."""
    keyed = goal().model_copy(update={"row_key": ("Extra",)})
    assert preview("/in/a.csv", TEXT, keyed, PROFILES, warehouse).unmapped == ()
    without = preview("/in/b.csv", TEXT.replace(b"Extra", b"Other"), keyed, PROFILES, warehouse)
    assert "'Extra'" in without.message
    assert without.fields == ()
    neither = preview("/in/c.csv", b"Extra;Name\n1;Ann\n", keyed, PROFILES, warehouse)
    assert "found: 'Extra', 'Name'" in neither.message


def test_cells_are_converted_as_in_an_import(warehouse: Warehouse) -> None:
    """Cells are converted by the goal's format and time zone; a cell that does not convert has a reason."""
    shown = preview("/in/a.csv", TEXT, goal(), PROFILES, warehouse)
    found = cells(shown)
    assert found["Total", "1,50"] == "1.50"
    assert found["Count", "7"] == "7"
    assert found["Born", "31-12-2024"] == "2024-12-31"
    assert found["News", "yes"] == "true"
    assert str(found["Seen", "01-07-2024 12:00"]).startswith("2024-07-01 12:00:00+02")
    wrong = {reading.cell: reading.reason for reading in shown.readings if reading.value is None}
    assert set(wrong) == {"1.50", "x", "2024-12-31", "perhaps"}
    assert all(wrong.values())


def test_text_and_blank_cells_are_left_out(warehouse: Warehouse) -> None:
    """Readings leave out text properties and blank cells."""
    shown = preview("/in/a.csv", TEXT, goal(), PROFILES, warehouse)
    assert {reading.field for reading in shown.readings} == {"Total", "Count", "Born", "Seen", "News"}
    assert all(reading.cell for reading in shown.readings)


def test_a_text_with_allowed_values_is_shown(warehouse: Warehouse) -> None:
    """Readings include a text property with allowed values."""
    limited = PROFILES.by_name["city"].model_copy(update={"among": ("Delft",)})
    shown = preview("/in/a.csv", TEXT, goal(), Profiles(properties=(*PROFILES.every[:-1], limited)), warehouse)
    readings = [(reading.cell, reading.value, reading.reason) for reading in shown.readings if reading.field == "City"]
    assert readings == [("Utrecht", None, "not one of: Delft")]


def test_a_sample_cut_in_a_row_shows_whole_rows(warehouse: Warehouse) -> None:
    """The last line of a sample, cut anywhere, is not shown as a row."""
    found = cells(preview("/in/a.csv", TEXT + b"c@x.nl;99", goal(), PROFILES, warehouse))
    assert ("Total", "99") not in found
    assert ("Total", "1,50") in found


def test_compressed_files_are_previewed_from_a_sample(warehouse: Warehouse) -> None:
    """A sample of a `.gz` or `.zip`, cut anywhere, shows the first rows of the text."""
    text = TEXT + b"".join(b"%d@x.nl;%d,5;%d;31-12-2024;;no;;\n" % (n, n * 7919 % 1000, n) for n in range(9000))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", text)
    for name, content in (("a.csv.gz", gzip.compress(text)), ("a.zip", buffer.getvalue())):
        shown = preview(f"/in/{name}", content[:30_000], goal(), PROFILES, warehouse)
        assert shown.message == ""
        assert cells(shown)["Born", "31-12-2024"] == "2024-12-31"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_cut_between_characters(codec: str, warehouse: Warehouse) -> None:
    """A UTF-16 sample that ends inside a character is previewed."""
    content = ("\ufeff" + TEXT.decode() + "c@x.nl;9").encode(codec)[:-1]
    shown = preview("/in/a.csv", content, goal(encoding="utf-16"), PROFILES, warehouse)
    assert shown.message == ""
    assert ("Total", "1,50") in cells(shown)


@pytest.mark.parametrize(
    ("content", "needle"),
    [(b"", "empty"), (b"Mail;Total\n1;2\n", "No linked column"), (b"Email,Total\n1,2\n", "declare `separator: ','`")],
)
def test_a_preview_has_the_reason_of_a_refusal(content: bytes, needle: str, warehouse: Warehouse) -> None:
    """The preview of a file that an import would refuse has the reason."""
    assert needle in preview("/in/a.csv", content, goal(), PROFILES, warehouse).message


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip"])
def test_a_damaged_archive_is_reported(name: str, warehouse: Warehouse) -> None:
    """The preview of a damaged archive has the reason."""
    head = (b"\x1f\x8b" if name.endswith("gz") else zipped({"a.csv": TEXT})[:40]) + b"\xff" * 99
    assert "damaged" in preview(f"/in/{name}", head, goal(), PROFILES, warehouse).message


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


LONG = TEXT + b"".join(b"%d@x.nl;%d,5;%d;31-12-2024;;no;;\n" % (n, n * 7919 % 1000, n) for n in range(20_000))


@pytest.mark.parametrize("cut", [None, 40_000], ids=["whole", "cut"])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_preview_shows_the_member_that_an_import_reads(
    cut: int | None, streamed: bool, method: int, warehouse: Warehouse
) -> None:
    """A README and macOS metadata are skipped, also without a central directory and with trailing sizes."""
    buffer = io.BytesIO()
    target = Unseekable(buffer) if streamed else buffer
    with zipfile.ZipFile(target, "w", method) as archive:  # type: ignore[type-var]
        archive.writestr("__MACOSX/._a.csv", b"shadow", zipfile.ZIP_DEFLATED)
        archive.writestr("README.txt", b"About these files", zipfile.ZIP_DEFLATED)
        archive.writestr("in/a.csv", LONG)
    shown = preview("/in/a.zip", buffer.getvalue()[:cut], goal(), PROFILES, warehouse)
    assert "damaged" not in shown.message
    assert cells(shown)["Born", "31-12-2024"] == "2024-12-31"
    assert ("README.txt" in shown.message) is (cut is None)  # the sample has no central directory


class Unseekable(io.RawIOBase):
    """A stream that cannot seek, so that zipfile writes sizes after the members."""

    def __init__(self, target: io.BytesIO) -> None:
        self.target = target

    def writable(self) -> bool:
        """Return that it can be written."""
        return True

    def write(self, data: Any) -> int:
        """Write to the target."""
        return self.target.write(data)


def test_a_preview_names_other_kinds_of_file(warehouse: Warehouse) -> None:
    """The preview of a PDF, a tar in a gzip, or a workbook names its kind and the member."""
    tar = b"a.csv".ljust(257, b"\0") + b"ustar" + b"\0" * 250
    for content, needle in (
        (b"%PDF-1.7\n", "The file is a PDF document"),
        (gzip.compress(tar), "is a tar archive"),
        (zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "an Excel workbook"),
        (zipped({"a.csv": TEXT.decode().encode("utf-16")}), "a.zip!a.csv: The member is text in UTF-16"),
    ):
        assert needle in preview("/in/a.zip", content, goal(), PROFILES, warehouse).message


def test_an_archive_without_files_is_reported_as_empty(warehouse: Warehouse) -> None:
    """The preview of an archive without files has the warning of an import."""
    assert "holds no file" in preview("/in/a.zip", zipped({}), goal(), PROFILES, warehouse).message


def test_a_preview_opens_no_warehouse(warehouse: Warehouse) -> None:
    """A preview works while another process writes, and creates no warehouse."""
    preview("/in/a.csv", TEXT, goal(), PROFILES, warehouse)
    assert not warehouse.path.exists()
    with warehouse.open("write"):
        pass
    with held(warehouse.path):
        assert preview("/in/a.csv", TEXT, goal(), PROFILES, warehouse).readings


def test_a_preview_is_json(warehouse: Warehouse) -> None:
    """A preview has a JSON form with fixed keys."""
    payload = json.loads(json.dumps(preview("/in/a.csv", TEXT, goal(), PROFILES, warehouse).to_json()))
    assert set(payload) == {"path", "fields", "unmapped", "processing", "readings", "message", "refused"}
    assert set(payload["readings"][0]) == {"field", "property", "cell", "value", "reason"}


def test_an_empty_archive_is_reported_once(warehouse: Warehouse) -> None:
    """The warning of an empty archive is given once."""
    message = preview("/in/a.zip", zipped({}), goal(), PROFILES, warehouse).message
    assert message == "The file is empty: an archive that holds no file."
