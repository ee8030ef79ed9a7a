"""Each folder of cases/import, with the oracle and with the product.

A case is a folder with `goal.yaml` and the files of one run, or with a numbered folder for each run, which may have a
changed `goal.yaml`. `before.csv` and `after.csv` have profiles; `report.yaml` has the expected reports of the runs.
Counters that it does not name are 0. A quarantined value is compared only if it is named.

`goal.yaml` has the properties as `profiles`, and the `goal`. Cases of consent also have `zones` and `objectives`, as in
the profile model, and the connection's objectives as `bound_to`.
"""

import csv
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdp_sync.model import FileGoal, Profiles, Property
from cdp_sync_tests.importing.sides import Delivered, File, OracleSide, ProductSide, Side
from cdp_sync_tests.oracle import Entry, canonical

CASES = Path(__file__).parents[1] / "cases" / "import"

NOT_DATA = ("goal.yaml", "before.csv", "after.csv", "report.yaml")

PARSERS = {
    "text": str,
    "email": str,
    "number": int,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "boolean": lambda text: {"true": True, "false": False}[text],
}


@pytest.mark.parametrize("side", [OracleSide, ProductSide], ids=["oracle", "product"])
@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_case(case: Path, side: type[OracleSide] | type[ProductSide], tmp_path: Path) -> None:
    """The files of the case give the profiles, counters and quarantine that it states."""
    declared = read_declared(case)
    expected = read_yaml(case / "report.yaml")["runs"]
    one = side(tmp_path)
    one.seed(declared, read_profiles(case / "before.csv", declared))
    delivered = list(deliver_all(case, one, declared))
    assert len(delivered) == len(expected)
    for run, stated in zip(delivered, expected, strict=True):
        check_run(run, stated)
    if (case / "after.csv").exists():
        assert canonical(one.profiles()) == canonical(read_profiles(case / "after.csv", declared))


def deliver_all(case: Path, side: Side, declared: Profiles) -> Iterator[Delivered]:
    """Run the case's deliveries in order."""
    content: dict[str, Any] = read_yaml(case / "goal.yaml")
    for folder in sorted(folder for folder in case.iterdir() if folder.is_dir()) or [case]:
        if folder != case and (folder / "goal.yaml").exists():
            content |= read_yaml(folder / "goal.yaml")
        bound_to = tuple(content.get("bound_to", ()))
        yield side.deliver(FileGoal(**content["goal"]), declared, data_files(folder), bound_to)


def data_files(folder: Path) -> list[File]:
    """Return the files to import, in name order."""
    paths = sorted(path for path in folder.iterdir() if path.name not in NOT_DATA)
    return [(path.name, path.read_bytes()) for path in paths]


def check_run(run: Delivered, stated: dict[str, Any]) -> None:
    """Compare the outcome of a run with what the case states."""
    assert all(counters.add_up for counters in run.counters.values())
    if stated.get("outcome") == "not_silent":
        assert run.failed or run.total.rows_read == stated["lines"]
        return
    for path, words in stated.get("failed", {}).items():
        assert words.lower() in run.failed.get(path, "did not fail").lower()
    assert run.failed.keys() == stated.get("failed", {}).keys()
    assert {name: value for name, value in vars(run.total).items() if value} == stated.get("counters", {})
    found = sorted(run.quarantine, key=lambda entry: (entry.path, entry.line, entry.field or "", entry.reason))
    assert [described(entry) for entry in found] == [described(Entry(**one)) for one in stated.get("quarantine", [])]
    for entry, one in zip(found, stated.get("quarantine", []), strict=True):
        assert one["reason"].lower() in entry.reason.lower()
        assert one.get("value", entry.value) == entry.value


def described(entry: Entry) -> tuple[str, int, str | None]:
    """Return the position of a quarantine entry."""
    return entry.path, entry.line, entry.field


def read_declared(case: Path) -> Profiles:
    """Return the profile model of a case."""
    content = read_yaml(case / "goal.yaml")
    consent = {name: content[name] for name in ("zones", "objectives") if name in content}
    return Profiles(properties=content["profiles"], **consent)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read_profiles(path: Path, declared: Profiles) -> list[dict[str, Any]]:
    """Return the profiles of a CSV file without empty properties, or none if there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: parsed(text, declared.by_name.get(name, Property(name=name))) for name, text in row.items() if text}
            for row in csv.DictReader(file)
        ]


def parsed(text: str, prop: Property) -> Any:
    """Return the value of a cell of before.csv or after.csv."""
    parse = PARSERS[prop.type]
    return [parse(part) for part in text.split(";")] if prop.multiple else parse(text)
