"""The product agrees with the oracle on files of many random rows: conversion, linking, consent and reading."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.importing.sides import File, OracleSide, ProductSide
from cdp_sync_tests.importing.strategies import CELLS, ODD_CELLS
from cdp_sync_tests.oracle import canonical

TYPED = Profiles(
    properties=[
        {"name": "id", "identifier": True},
        *(
            {"name": f"{kind}_{'many' if many else 'one'}", "type": kind, "multiple": many}
            for kind in CELLS
            for many in (0, 1)
        ),
    ]
)

PIECES = {
    "text": ("a", "B", "é", '"', "'", " ", ",", "a\nb", "0", "null", "\\"),
    "email": ("a", "B", "@", "@x", ".", "é", "\t", "\u00a0", "@x.nl"),
    "number": ("1", "0", "00", "9", "-", "+", ".0", ",0", ".", ",", "5", "e3", "_", "922337203685477580", "\u0661"),
    "decimal": ("1", "0", "000", "9", "-", "+", ".", ",", ".5", ",5", "e3", "_", "inf", "12345678901234", "\u0661"),
    "date": (
        "2024",
        "-",
        "01",
        "02",
        "31",
        "1",
        "T",
        "10",
        ":",
        "30",
        "00",
        "Z",
        "+02:00",
        "-31",
        "2024-02-",
        "1990-01-02",
    ),
    "datetime": ("2024-03-31", "T", "02:30", ":15", ".5", ".123456", "Z", "+02:00", "-00:30", "25:00", "31-12-2024"),
    "boolean": ("t", "T", "rue", "f", "ALSE", "y", "es", "n", "o", "1", "0", "on", "off", "F"),
}
"""Parts of random cells, beside the cells of the strategies."""


def both(
    tmp_path: Path,
    declared: Profiles,
    runs: Sequence[tuple[FileGoal, list[File]]],
    objectives: tuple[str, ...] = (),
) -> None:
    """Import with the oracle and the product, and compare them after each run."""
    oracle, product = OracleSide(), ProductSide(tmp_path)
    for goal, files in runs:
        expected, found = (side.deliver(goal, declared, files, objectives) for side in (oracle, product))
        assert found.failed.keys() == expected.failed.keys(), SEED
        assert found.counters == expected.counters, SEED
        assert (found.kinds - expected.kinds, expected.kinds - found.kinds) == (Counter(), Counter()), SEED
        assert canonical(product.profiles()) == canonical(oracle.profiles()), SEED
        assert product.identifiers() == product.identifiers_unnested(declared), SEED


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Amsterdam"])
@pytest.mark.parametrize("dates", [["iso"], ["%d-%m-%Y", "epoch_seconds", "%Y-%m-%dT%H:%M"]], ids=["iso", "patterns"])
def test_conversions_agree(decimal: str, zone: str, dates: list[str], tmp_path: Path) -> None:
    """Valid and almost valid cells of every type become the same values and problems, also after they change."""
    rng = random.Random(f"{SEED} {decimal} {zone} {dates}")
    columns = [prop.name for prop in TYPED.properties]
    first, others = ([random_row(rng, columns, number) for number in range(400)] for _ in range(2))
    second = [rng.choice((before, other)) for before, other in zip(first, others, strict=True)]
    goal = FileGoal(
        name="customers",
        format={"decimal": decimal, "time_zone": zone, "dates": dates, "multi_value": "|"},
        link=[{"field": "id", "property": "id"}],
        map=[{"field": name, "property": name} for name in columns[1:]],
    )
    both(tmp_path, TYPED, [(goal, [("/in/a.csv", quoted(columns, rows))]) for rows in (first, second)])


def random_row(rng: random.Random, columns: Sequence[str], number: int) -> list[str]:
    """Return a person's row with random cells."""
    return [f"id{number}", *(random_cell(rng, name) for name in columns[1:])]


def random_cell(rng: random.Random, column: str) -> str:
    """Return a random cell that may not convert."""
    kind, _, many = column.partition("_")
    return "|".join(random_element(rng, kind) for _ in range(rng.choice((1, 1, 2, 3)) if many == "many" else 1))


def random_element(rng: random.Random, kind: str) -> str:
    """Return a cell of the strategies, or one joined from pieces."""
    if rng.random() < 0.3:
        return rng.choice(CELLS[kind] + ODD_CELLS[kind])
    blank = rng.choice(("", "", "", "", " "))
    return blank + "".join(rng.choices(PIECES[kind], k=rng.randint(1, 4))) + blank


def quoted(columns: list[str], rows: list[list[str]]) -> bytes:
    """Return a file with every cell quoted."""
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [columns, *rows]]
    return "\n".join(lines).encode()


LINKED = Profiles(
    properties=[
        {"name": "email", "type": "email", "identifier": True},
        {"name": "customer_id", "identifier": True},
        {"name": "card", "type": "number", "identifier": True},
        {"name": "phones", "identifier": True, "multiple": True},
        {"name": "devices", "type": "number", "identifier": True, "multiple": True},
        {"name": "seen", "multiple": True},
    ]
)
LINKS = [
    ("Email", "email"),
    ("Id", "customer_id"),
    ("Other", "email"),
    ("Card", "card"),
    ("Phones", "phones"),
    ("Devices", "devices"),
]
FORMAT = {"multi_value": "|"}


@pytest.mark.parametrize("people", [20, 60, 150, 400])
def test_linking_agrees(people: int, tmp_path: Path) -> None:
    """Linking agrees over four runs with many rows, few identifiers, and links in another order each time."""
    rng = random.Random(f"{SEED} {people}")
    runs = []
    for number in range(4):
        links = rng.sample(LINKS, k=rng.randint(2, len(LINKS)))
        mapped = [{"field": "Row", "property": "seen", "mode": "add"}]
        if number == 1:
            mapped.append({"field": "Id", "property": "customer_id"})
        goal = FileGoal(
            name="customers",
            format=FORMAT,
            link=[{"field": field, "property": name} for field, name in links],
            map=mapped,
            allow_new_profiles=number != 2,
        )
        runs.append((goal, [(f"/in/{number}{letter}.csv", random_people(rng, people)) for letter in "ab"]))
    both(tmp_path, LINKED, runs)


def random_people(rng: random.Random, people: int) -> bytes:
    """Return a file whose rows have some identifiers of a person, sometimes of two persons."""
    fields = [field for field, _ in LINKS]
    rows = [
        [*(random_identifier(rng, field, people) for field in fields), f"r{rng.randrange(10**6)}"] for _ in range(60)
    ]
    return quoted([*fields, "Row"], rows)


def random_identifier(rng: random.Random, field: str, people: int) -> str:
    """Return a random identifier: mostly blank, or a list where the property is `multiple`."""
    if rng.random() < 0.55:
        return rng.choice(("", "", "", " ", "0"))
    several = rng.choice((1, 1, 2)) if field in ("Phones", "Devices") else 1
    wanted = [rng.randint(1, people) for _ in range(several)]
    return "|".join(f"p{one}@x" if field in ("Email", "Other") else str(one) for one in wanted)


CONSENTING = Profiles(
    properties=LINKED.properties,
    zones={"GDPR": "opt_in", "CCPA": "opt_out"},
    objectives=[{"name": "ads", "zones": ["GDPR", "CCPA"]}, {"name": "mail", "zones": ["GDPR"]}],
)
CONSENT = {
    "privacy_legislation": ("GDPR", "GDPR", "CCPA", "", "", "", "EU"),
    "consented_objectives": ("ads", "mail", "ads|mail", "", "", "", "all"),
    "refused_objectives": ("ads", "mail", "mail|ads", "", "", "", "", ""),
}
"""The consent properties with their cells. The field has the property's name."""


@pytest.mark.parametrize("objectives", [("ads",), ("ads", "mail"), ()], ids=len)
def test_consent_agrees(objectives: tuple[str, ...], tmp_path: Path) -> None:
    """Rows give and withdraw consent; both sides agree over three runs with different set modes."""
    rng = random.Random(f"{SEED} {objectives}")
    modes = ("set", "set", "set_if_empty", "set_or_clear")
    runs = []
    for number in range(3):
        links = rng.sample(LINKS, k=rng.randint(2, len(LINKS)))
        goal = FileGoal(
            name="customers",
            format=FORMAT,
            link=[{"field": field, "property": name} for field, name in links],
            map=[
                {"field": "Row", "property": "seen", "mode": "add"},
                *({"field": name, "property": name, "mode": rng.choice(modes)} for name in CONSENT),
            ],
        )
        runs.append((goal, [(f"/in/{number}{letter}.csv", with_consent(rng)) for letter in "ab"]))
    both(tmp_path, CONSENTING, runs, objectives)


def with_consent(rng: random.Random) -> bytes:
    """Return a file of random people, some with consent cells."""
    fields = [field for field, _ in LINKS]
    rows = [
        [
            *(random_identifier(rng, field, 60) for field in fields),
            f"r{number}",
            *(rng.choice(cells) for cells in CONSENT.values()),
        ]
        for number in range(60)
    ]
    return quoted([*fields, "Row", *CONSENT], rows)


@pytest.mark.parametrize("number", range(8))
def test_reading_agrees(number: int, tmp_path: Path) -> None:
    """Files with quoted, ragged and blank lines give the same rows on the same lines."""
    rng = random.Random(f"{SEED} {number}")
    declared = Profiles(properties=[{"name": "id", "identifier": True}, {"name": "note"}])
    goal = FileGoal(
        name="customers",
        format={"skip_rows": rng.choice((0, 0, 2)), "separator": rng.choice((",", ";", "||"))},
        link=[{"field": "Id", "property": "id"}],
        map=[{"field": "Note", "property": "note"}],
    )
    files = [(f"/in/{name}.csv", random_text(rng, goal)) for name in "abc"]
    both(tmp_path, declared, [(goal, files)])


def random_text(rng: random.Random, goal: FileGoal) -> bytes:
    """Return a file with quoted, ragged and blank lines and a random line end."""
    separator, line_end = goal.format.separator, rng.choice(("\n", "\r\n"))
    lines = ["skipped"] * goal.format.skip_rows + [separator.join(("Id", "Note", "More"))]
    for number in range(rng.choice((0, 1, 5, 40))):
        cells = [f"id{number}", *(random_text_cell(rng, separator, line_end) for _ in range(2))]
        ragged = rng.random() < 0.15
        lines.append(separator.join(cells[: rng.choice((1, 2))] if ragged else cells))
        lines += [""] * (rng.random() < 0.1)
    return (line_end.join(lines) + rng.choice(("", line_end))).encode()


def random_text_cell(rng: random.Random, separator: str, line_end: str) -> str:
    """Return a cell, plain or quoted."""
    inside = rng.choice(("", separator, line_end, line_end * 2, '""', "é"))
    return rng.choice(("plain", "", f'"a{inside}b"', '""', "x y"))
