"""An exported file that is imported with the same format gives the same values."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.importing import ImportRun
from cdp_sync.importing.pipeline import import_files
from cdp_sync.model import ExportFormat, FetchedFile, FileGoal, RemoteFile
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.exporting.exporter import NOON, PROPERTIES, Exporter, goal, profiles
from cdp_sync_tests.generated import examples
from cdp_sync_tests.trail.importer import Importer

NAMES = [prop["name"] for prop in PROPERTIES]
LINK = "Key"
PIECES = (
    "a",
    "Z",
    "é",
    "0",
    "5",
    " ",
    ",",
    ";",
    "|",
    "\t",
    '"',
    "'",
    "\n",
    "\r",
    "\r\n",
    "=",
    "+",
    "-",
    "@",
    "/",
    "::",
    "#",
    "\\",
    "\ufeff",
)
SHARED = ("separator", "decimal", "multi_value", "dates", "time_zone", "encoding", "header")

EARLY, LATE = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001 - the strategy adds the zone

texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
visible_texts = texts.filter(lambda text: text.strip(" \t\r\n\ufeff") != "")
"""Not white space alone, which an import reads as no value."""
list_texts = texts.filter(lambda text: text.strip(" ") == text)
people = st.fixed_dictionaries(
    {
        "name": st.none() | visible_texts,
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "total": st.none() | st.decimals(-(10**13), 10**13, places=4).map(lambda number: Decimal(number)),
        "born": st.none() | st.dates(date(1, 1, 1), date(9999, 12, 31)),
        "seen": st.none() | st.datetimes(EARLY, LATE, timezones=st.just(UTC)),
        "keen": st.none() | st.booleans(),
        "likes": st.none() | st.lists(list_texts, min_size=1, max_size=3, unique=True),
        "marks": st.none() | st.lists(st.integers(-99, 99), min_size=1, max_size=3, unique=True),
    }
)
formats = st.fixed_dictionaries(
    {
        "separator": st.sampled_from([",", ";", "|", "\t", "::", "||", "é"]),
        "decimal": st.sampled_from([".", ","]),
        "multi_value": st.sampled_from([";", "|", ",", "::", "/", "\n"]),
        "time_zone": st.sampled_from(["UTC", "Europe/Amsterdam", "America/St_Johns"]),
        "encoding": st.sampled_from(["utf-8", "utf-16"]),
        "row_delimiter": st.sampled_from(["windows", "linux"]),
        "header": st.booleans(),
        "quote": st.sampled_from(["minimal", "all"]),
    }
)


def import_back(content: bytes, form: ExportFormat, folder: Path) -> Warehouse:
    """Import a file into a warehouse of its own and return the warehouse."""
    fields = NAMES if form.header else [f"column{number}" for number in range(2, len(NAMES) + 2)]
    declared = FileGoal.model_validate(
        {
            "name": "back",
            "format": form.model_dump(include=set(SHARED)),
            "link": [{"field": LINK if form.header else "column1", "property": "number"}],
            "map": [{"field": field, "property": name} for field, name in zip(fields, NAMES, strict=True)],
        }
    )
    local = folder / "file.csv"
    local.write_bytes(content)
    remote = RemoteFile(NOON, "/file.csv", len(content))
    keyed = profiles(properties=[*PROPERTIES, {"name": "number", "type": "number", "identifier": True}])
    run = ImportRun("back", "shop", declared, keyed, Warehouse(folder / "back.duckdb"), folder / "staging.duckdb")
    report = import_files(run, [FetchedFile(remote, local, hashlib.sha256(content).hexdigest())])
    assert (report.state, report.counters.values_invalid) == ("success", 0), (report.message, report.reasons)
    return run.warehouse


def exported(held: list[Mapping[str, Any]], form: Mapping[str, Any], folder: Path) -> Exporter:
    """Return an exporter of these people, numbered in a column of its own."""
    columns = [{"field": LINK, "property": "number"}, *({"field": name, "property": name} for name in NAMES)]
    exporter = Exporter(
        folder,
        goal(map=columns, format=dict(form), file={"name": "file.csv"}),
        profiles(properties=[*PROPERTIES, {"name": "number", "type": "number", "identifier": True}]),
    )
    exporter.hold([{"number": number, **person} for number, person in enumerate(held, start=1)])
    return exporter


def check_round_trip(held: list[Mapping[str, Any]], form: Mapping[str, Any], folder: Path) -> None:
    """Check that each delivered value is imported unchanged and each other profile is quarantined."""
    exporter = exported(held, form, folder / "there")
    report = exporter.run()
    counters = report.counters
    assert counters.profiles_written + counters.profiles_not_deliverable == len(held)
    left_out = {raw for (raw,) in exporter.rows("select raw from warehouse.quarantine")}
    assert len(left_out) == counters.profiles_not_deliverable
    if not counters.profiles_written:
        return
    (folder / "back").mkdir()
    back = import_back(exporter.delivered(), exporter.goal.format, folder / "back")
    query = f"select number, {', '.join(NAMES)} from warehouse.profile"
    with back.open("read") as session:
        found = {row[0]: row[1:] for row in session.rows(query)}
    sent = {
        row[0]: row[1:-1]
        for row in exporter.rows(query.replace(" from", ", profile_id from"))
        if str(row[-1]) not in left_out
    }
    assert found == sent


@examples(20)
@given(held=st.lists(people, min_size=1, max_size=6), form=formats)
def test_every_format_returns_unchanged(
    held: list[Mapping[str, Any]], form: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Values of all types, with awkward texts, return unchanged in every combination of formats."""
    check_round_trip(held, form, tmp_path_factory.mktemp("trip"))


TIMES = [datetime(2026, 1, 31, 23, 59, 58, tzinfo=UTC) + timedelta(days=days) for days in (0, 60, 150, 275)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Amsterdam"])
@pytest.mark.parametrize(
    "dates", ["%Y-%m-%d %H:%M:%S", "%d.%m.%y %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "epoch_seconds", "epoch_milliseconds"]
)
def test_dates_in_declared_formats_return_unchanged(dates: str, zone: str, tmp_path: Path) -> None:
    """Dates return unchanged in each format with seconds, also in zones with daylight saving time."""
    held = [{"email": f"{number}@b.nl", "seen": at} for number, at in enumerate(TIMES)]
    form = {"dates": [dates], "time_zone": zone, "multi_value": ";", "separator": "|"}
    check_round_trip(held, form, tmp_path)


@pytest.mark.parametrize("row_delimiter", ["windows", "linux"])
def test_line_breaks_in_values_return_unchanged(row_delimiter: str, tmp_path: Path) -> None:
    """Line breaks inside values return unchanged, whatever the line break of rows."""
    held = [{"name": f"a{sign}b{sign}"} for sign in ("\n", "\r\n", "\r", "\n\n", "\r\r", "\n\r")]
    check_round_trip(held, {"row_delimiter": row_delimiter, "multi_value": ";"}, tmp_path)


AMOUNTS = {"decimal": ",", "separator": ";", "multi_value": "|"}
OTHERWISE: list[tuple[dict[str, Any], dict[str, str], dict[str, Any], dict[str, Any]]] = [
    ({"thousands": "."}, {"count": "1.234", "total": "1.234,5"}, {"count": 1234, "total": Decimal("1234.5")}, {}),
    ({"thousands": " "}, {"total": "-1\u202f234,5"}, {"total": Decimal("-1234.5")}, {}),
    (
        {"negative": ["trailing_minus", "parentheses"]},
        {"count": "12-", "total": "(12,5)"},
        {"count": -12, "total": Decimal("-12.5")},
        {},
    ),
    ({"currency": ["€", "EUR"]}, {"count": "€ 12", "total": "12,5 eur"}, {"count": 12, "total": Decimal("12.5")}, {}),
    ({"booleans": {"true": ["J"], "false": ["N"]}}, {"keen": "j"}, {"keen": True}, {}),
    (
        {"json_lists": True, "multi_value": None},
        {"likes": '["a;b", "c"]', "marks": "[1, -2]"},
        {"likes": ["a;b", "c"], "marks": [1, -2]},
        {},
    ),
    ({"trim": True}, {"name": "\u00a0Ann\u200b "}, {"name": "Ann"}, {}),
    (
        {"century_pivot": 24, "dates": ["%d.%m.%y"]},
        {"born": "31.01.25", "seen": "31.01.24"},
        {"born": date(1925, 1, 31), "seen": datetime(2024, 1, 31, tzinfo=UTC)},
        {},
    ),
    (
        {"date_in_zone": True, "time_zone": "Europe/Amsterdam"},
        {"born": "1980-06-30T22:00:00Z"},
        {"born": date(1980, 7, 1)},
        {"time_zone": "Europe/Amsterdam", "dates": ["%Y-%m-%dT%H:%M:%S%z"]},
    ),
]


@pytest.mark.parametrize(("settings", "cells", "values", "form"), OTHERWISE, ids=lambda given: str(given)[:40])
def test_cells_of_import_options_return_unchanged(
    settings: dict[str, Any], cells: dict[str, str], values: dict[str, Any], form: dict[str, Any], tmp_path: Path
) -> None:
    """Cells of each import option are exported and then imported without the option."""
    declared = FileGoal.model_validate(
        {
            "name": "there",
            "format": AMOUNTS | settings,
            "link": [{"field": "email", "property": "email"}],
            "map": [{"field": name, "property": name} for name in cells],
        }
    )
    importer = Importer(tmp_path / "in", declared, profiles())
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells.values()]
    report = importer.deliver({"/in.csv": f"email;{';'.join(cells)}\na@b.nl;{';'.join(quoted)}\n"})
    assert report.counters.values_invalid == 0
    found = {name: importer.column(name)["a@b.nl"] for name in cells}
    assert found == values
    check_round_trip([{"email": "a@b.nl", **found}], AMOUNTS | {"dates": ["iso"]} | form, tmp_path)
