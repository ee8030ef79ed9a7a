"""Files of responses that are imported with the same format hold the same values."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.exporting.responses_oracle import ROLES, contact_rows, link_rows
from cdp_sync_tests.exporting.test_responses import EMAILS, NOON, Exporter, event, goal, profiles
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.trail.importer import Importer, check_adds_up

AWKWARD = ('say "hi"', "a;b|c,d\te", "line\nbreak", "0171", " x ", "Jürgen 😀", "x\r\ny", None)
"""A code of each person; the last one has none."""
CONTACT = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "code"},
    {"name": "spent", "type": "decimal"},
]
MAILING = 'Spring;"sale"\n😀'
TIMES = [f"{which}_{role}_at" for role in ROLES for which in ("first", "last")]
COUNTS = ("sent", "delivered", "opened", "clicked", "unsubscribed", "clicks")


def events() -> list[dict[str, Any]]:
    """Return events of one mailing; each person clicks links of their own."""
    chance = Random(SEED)
    made = []
    for person in EMAILS:
        for _ in range(chance.randrange(1, 12)):
            at = NOON + timedelta(seconds=chance.randrange(86_400), microseconds=chance.randrange(10**6))
            url = f"https://example.com/{person}?q={chance.choice(AWKWARD)}"
            kind = chance.choice(["hard", "soft", None])
            made.append(event(chance.choice(ROLES), at, person, MAILING, url=url, kind=kind))
    return made


def exporter_of(folder: Path, form: dict[str, Any]) -> Exporter:
    """Return runs of a goal with both files, whose contacts have codes and amounts."""
    named = goal(format=form, contact=["email", "code", "spent"], links="one_file")
    exporter = Exporter(folder, named, profiles(properties=CONTACT))
    with exporter.warehouse.open("write") as session:
        for number, code in enumerate(AWKWARD, start=1):
            values = {"code": code, "spent": spent(number), "id": UUID(int=number)}
            session.execute("update warehouse.profile set code = $code, spent = $spent where profile_id = $id", values)
    return exporter


def spent(person: int) -> Decimal:
    """Return the amount of a person."""
    return Decimal(-person).scaleb(-4)


def value(name: str, text: str) -> Any:
    """Return what a text of the plain reading means in a column."""
    if text == "":
        return None
    return datetime.fromisoformat(text) if name in TIMES else int(text) if name in COUNTS else text


def expected(rows: Sequence[dict[str, str]], columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the rows of a plain reading as values, with what else is known of the contacts."""
    people = {email: number for number, email in EMAILS.items()}
    found = []
    for row in rows:
        person = people[row["email"]]
        known = {"code": AWKWARD[person - 1], "spent": spent(person)}
        found.append(tuple(known[name] if name in known else value(name, row[name]) for name in columns))
    return found


def kind_of(column: str) -> str:
    """Return the type of a column's values."""
    if column in TIMES:
        return "datetime"
    return "number" if column in COUNTS else {"spent": "decimal", "email": "email"}.get(column, "text")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"separator": ";", "decimal": ",", "encoding": "utf-16", "header": False},
        {"separator": "|", "dates": "%Y-%m-%dT%H:%M:%S.%f%z", "time_zone": "America/St_Johns", "quote": "all"},
    ],
)
@pytest.mark.parametrize("kind", ["contacts", "links"])
def test_awkward_contacts_links_and_mailings_come_back(kind: str, form: dict[str, Any], tmp_path: Path) -> None:
    """Every column of both files is read back as the same values, whatever contacts, links and mailings hold."""
    happened = events()
    exporter = exporter_of(tmp_path / "here", form)
    exporter.hold(happened)
    exporter.run()
    whose = ["mailing", "email", "code", "spent"]
    if kind == "contacts":
        columns, rows, key = [*whose, *ROLES, *TIMES], contact_rows(happened, MAILING, EMAILS), "email"
    else:
        columns = [*whose, "link", "clicks", "first_clicked_at", "last_clicked_at"]
        rows, key = link_rows(happened, MAILING, EMAILS), "link"
    fields = columns if exporter.goal.format.header else [f"column{n}" for n, _ in enumerate(columns, start=1)]
    declared = {
        "name": "back",
        "format": form | {"quote": '"'},
        "link": [{"field": fields[columns.index(key)], "property": key}],
        "map": [{"field": f, "property": name} for f, name in zip(fields, columns, strict=True) if name != key],
    }
    properties = [{"name": name, "type": kind_of(name), "identifier": name == key} for name in columns]
    back = Importer(
        tmp_path / "there", FileGoal.model_validate(declared), Profiles.model_validate({"properties": properties})
    )
    files = {file.name: file.read_bytes() for file in exporter.outbox.iterdir()}
    report = back.deliver(
        {name: content for name, content in files.items() if (".links." in name) == (kind == "links")}
    )
    check_adds_up(report)
    assert report.counters.values_invalid == 0
    found = back.rows(f"select {', '.join(columns)} from warehouse.profile")
    assert sorted(found, key=repr) == sorted(expected(rows, columns), key=repr)
    assert len(found) == len(rows) > 3
