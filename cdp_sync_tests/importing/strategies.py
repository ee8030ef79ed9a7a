"""Hypothesis strategies for profile models, goals and deliveries.

Small alphabets make rows collide, chain and contradict.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from cdp_sync.model import DetectedMapping, FileGoal, Format, Link, Mapping, Objective, Profiles, Property
from cdp_sync_tests.importing.sides import File

CELLS = {
    "text": ("a", "b", " a ", "A"),
    "email": ("a@x", "b@x", "c@x", " A@X ", "Ann <b@x>", "Ü@x", "ü@x", "a@Ü", "a@xn--tda"),
    "number": ("1", "2", "3", " 01 ", "+2"),
    "decimal": ("1.5", "2,5", "1", "-.25", "1.00000"),
    "date": ("2024-01-05", "2024-01-05T23:30:00Z", "2024-01-05 00:30", "1980-06-30T22:00:00.1234567-01:00"),
    "datetime": ("2024-01-05", "2024-01-05T23:30:00+02:00", "2024-07-05 00:30:15.25", "2024-10-27 02:30:00.123456789"),
    "boolean": ("true", "NO", "1", " f "),
}
ODD_CELLS = {
    "text": ("0", "null", "x\ny", 'say "b"', "1,5", " ", "\u200b", "#N/A", "1.5E+12", "(null)"),
    "email": ("nobody", "N/A", " ", "mailto:a@x", "'b@x'", "a\u200b@x", "a@x,b@x", "a@x.", "a@1", "<a@x#mailto:a@x#>"),
    "number": (
        "2.0",
        "2,0",
        "1.5",
        "x",
        "000",
        "9223372036854775808",
        "1.234",
        "1,234",
        "3-",
        "(3)",
        "€3",
        "3 eur",
        "\u00a0",
    ),
    "decimal": ("1.23456", "1,000.5", "x", "100000000000000", "1.000,5", "1 000", "-€2", "(1.5)", "2,5-", "\t"),
    "date": (
        "05-01-2024",
        "2024-02-30",
        "05-01-68",
        "05-01-24",
        "5-1-2024",
        "31-02-2024",
        "2024366",
        "2023366",
        "\u202f",
    ),
    "datetime": (
        "05-01-2024",
        "2024-02-30",
        "05-01-69",
        "2024-03-31 02:30",
        "2024-10-27T02:30",
        "31-12-1999",
        "2024001",
    ),
    "boolean": ("maybe", "Ja", "nein", " ", "\ufeff"),
}
ODD_ELEMENTS = (None, True, False, 1, 2.5, 0, [1])
"""Values in a JSON array other than strings."""
OTHER_FIELDS = ("Other", "9th one", "Wish List", "Refused objectives")
DETECTED = {"Wish List": "wish_list", "Refused objectives": "refused_objectives"}
"""Detected fields that fill a declared property, with the property."""

ZONE_CELLS = ("GDPR", "CCPA", "NONE", " GDPR ")
ODD_ZONE_CELLS = ("gdpr", "GDPR|CCPA", "nowhere")
PATHS = ("/in/a.csv", "/in/b.csv", "/in/c.csv")


@dataclass(frozen=True)
class Table:
    """The columns and rows of a file before it is written. Some rows are too short or too long."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    line_end: str = "\n"

    def to_bytes(self, fmt: Format) -> bytes:
        """Return the file as bytes. Every third row is fully quoted and follows a blank line."""
        text = io.StringIO()
        for number, row in enumerate((self.columns, *self.rows)):
            quoting = csv.QUOTE_ALL if number % 3 == 2 else csv.QUOTE_MINIMAL
            text.write(self.line_end if number % 3 == 2 else "")
            csv.writer(text, delimiter=fmt.separator, lineterminator=self.line_end, quoting=quoting).writerow(row)
        return text.getvalue().encode()

    def with_reversed_columns(self) -> "Table":
        """Return the table with its columns in reverse order."""
        return replace(self, columns=self.columns[::-1], rows=tuple(row[::-1] for row in self.rows))


@dataclass(frozen=True)
class Delivery:
    """One run: its goal, its files, and the objectives of its connection."""

    goal: FileGoal
    files: tuple[tuple[str, Table], ...]
    objectives: tuple[str, ...] = ()

    @property
    def contents(self) -> list[File]:
        """The paths of the files with their contents as bytes."""
        return [(path, table.to_bytes(self.goal.format)) for path, table in self.files]


@dataclass(frozen=True)
class History:
    """A profile model and a series of deliveries to it."""

    profiles: Profiles
    deliveries: tuple[Delivery, ...]


@st.composite
def profile_models(draw: st.DrawFn) -> Profiles:
    """One to four identifiers, two to five other properties, and `wish_list`, which only a detected column fills.

    Some have objectives, and so zones and consent as well.
    """
    identifiers = [
        Property(name=f"id{number}", multiple=draw(st.booleans()), identifier=True, **draw(types))
        for number, types in enumerate(draw(st.lists(st.just(of_type(IDENTIFIER_TYPES)), min_size=1, max_size=4)))
    ]
    others = [
        Property(name=f"p{number}", multiple=draw(st.sampled_from((False, False, True))), **draw(types))
        for number, types in enumerate(draw(st.lists(st.just(of_type(ANY_TYPE)), min_size=2, max_size=5)))
    ]
    properties = (*identifiers, *others, Property(name="wish_list", type="number"))
    objectives = draw(st.sampled_from((0, 0, 1, 2)))
    if not objectives:
        return Profiles(properties=properties)
    return Profiles(
        properties=properties,
        zones=draw(st.dictionaries(ZONES, st.sampled_from(("opt_in", "opt_in", "opt_out")))),
        objectives=[Objective(name=name, zones=draw(SOME_ZONES)) for name in ("ads", "mail")[:objectives]],
    )


@st.composite
def of_type(draw: st.DrawFn, types: st.SearchStrategy[str]) -> dict[str, Any]:
    """A property type; one text in four has a fixed set of values."""
    kind = draw(types)
    limited = kind == "text" and draw(st.sampled_from((False, False, False, True)))
    return {"type": kind, "among": ("a", "b") if limited else ()}


ZONES = st.sampled_from(("GDPR", "CCPA", "NONE"))
SOME_ZONES = st.sampled_from((("GDPR", "CCPA", "NONE"), ("GDPR", "CCPA"), ("GDPR",), ()))
IDENTIFIER_TYPES = st.sampled_from(("text", "email", "number"))
ANY_TYPE = st.sampled_from(tuple(CELLS))


def format_of(**settings: Any) -> Format:
    """Return a format. Of two settings that exclude each other, the first is kept."""
    if settings["multi_value"]:
        settings["json_lists"] = False
    if settings["thousands"] == settings["decimal"]:
        settings["thousands"] = None
    return Format(**settings)


def mostly_first(*values: Any) -> st.SearchStrategy[Any]:
    """Mostly the first value."""
    return st.sampled_from((values[0],) * (2 * len(values)) + values[1:])


FORMATS = st.builds(
    format_of,
    separator=st.sampled_from((",", ";")),
    decimal=st.sampled_from((".", ",")),
    multi_value=st.sampled_from((None, "|", "|")),
    dates=st.sampled_from((("iso",), ("%d-%m-%Y", "iso"), ("%d-%m-%y", "%Y%j", "iso"), ("iso", "%d-%m-%y"))),
    time_zone=st.sampled_from(("UTC", "Europe/Amsterdam")),
    nulls=st.sampled_from((("",), ("", "null"), ("null",))),
    trim=mostly_first(False, True),
    thousands=mostly_first(None, ".", ",", " "),
    negative=mostly_first((), ("trailing_minus", "parentheses"), ("parentheses",)),
    currency=mostly_first((), ("€", "EUR")),
    booleans=mostly_first(None, {"true": ("Ja", "1"), "false": ("Nein", "f")}),
    json_lists=mostly_first(False, True, True),
    century_pivot=mostly_first(68, 24, 99),
    date_in_zone=mostly_first(False, True),
)


@st.composite
def goals(draw: st.DrawFn, profiles: Profiles) -> FileGoal:
    """A goal for the profile model."""
    return FileGoal(
        name="customers",
        format=draw(FORMATS),
        link=draw(link_lists(profiles)),
        map=draw(mapping_lists(profiles)),
        allow_new_profiles=draw(st.sampled_from((True, True, True, False))),
        map_detected=draw(st.sampled_from((None, None, None, DetectedMapping(prefix="d_"), DetectedMapping()))),
        max_rejected_percent=draw(st.sampled_from((100.0, 100.0, 100.0, 20.0))),
    )


def link_lists(profiles: Profiles) -> st.SearchStrategy[tuple[Link, ...]]:
    """One to three different links, mostly with a field of their own."""
    links = [
        Link(field=field, property=prop.name)
        for prop in profiles.identifiers
        for field in (f"Link {prop.name}", f"Link {prop.name}", f"Other {prop.name}", "Any link")
    ]
    return st.lists(st.sampled_from(links), min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def mapping_lists(draw: st.DrawFn, profiles: Profiles) -> tuple[Mapping, ...]:
    """Mappings of some properties: one each, or two that both add or both sum."""
    found = []
    for prop in profiles.every:
        if prop.name == "wish_list" or not draw(st.sampled_from((True, True, False))):
            continue
        mode = draw(st.sampled_from(modes_of(prop)))
        wanted = draw(st.integers(1, 2)) if mode in ("add", "sum") else 1
        own = (f"Map {prop.name}", f"Map {prop.name}", f"Also {prop.name}", "Any map", f"Link {prop.name}")
        fields = draw(st.lists(st.sampled_from(own), min_size=wanted, max_size=wanted, unique=True))
        found += [Mapping(field=field, property=prop.name, mode=mode) for field in fields]
    return tuple(found)


def modes_of(prop: Property) -> tuple[str, ...]:
    """Return the set modes that a property allows; `add` and `sum` twice, so that they are drawn more often."""
    if prop.multiple:
        return ("set", "set_if_empty", "set_or_clear", "add", "add")
    if prop.type in ("number", "decimal"):
        return ("set", "set_if_empty", "set_or_clear", "sum", "sum")
    return ("set", "set_if_empty", "set_or_clear")


@st.composite
def changed_goals(draw: st.DrawFn, goal: FileGoal, profiles: Profiles) -> FileGoal:
    """Mostly the same goal; else with other links, mappings, decimal separator, or rules."""
    match draw(st.sampled_from(("",) * 6 + ("link", "map", "map", "decimal", "allow", "detected"))):
        case "link":
            return goal.model_copy(update={"link": draw(link_lists(profiles))})
        case "map":
            return goal.model_copy(update={"map": draw(mapping_lists(profiles))})
        case "decimal":
            decimal = "," if goal.format.decimal == "." else "."
            if goal.format.thousands == decimal:
                return goal
            return goal.model_copy(update={"format": goal.format.model_copy(update={"decimal": decimal})})
        case "allow":
            return goal.model_copy(update={"allow_new_profiles": not goal.allow_new_profiles})
        case "detected":
            return goal.model_copy(update={"map_detected": None if goal.map_detected else DetectedMapping()})
        case _:
            return goal


@st.composite
def tables(draw: st.DrawFn, goal: FileGoal, profiles: Profiles) -> Table:
    """A file for the goal: columns in any order, sometimes one missing or some that the goal does not use."""
    wanted = [field for field in goal.fields if draw(st.sampled_from((True,) * 9 + (False,)))]
    others = [field for field in OTHER_FIELDS if draw(st.sampled_from((True, False, False)))]
    columns = tuple(draw(st.permutations([*wanted, *others])) or ["Other"])
    rows = draw(st.lists(row_of(columns, goal, profiles), max_size=8))
    return Table(columns, tuple(rows), draw(st.sampled_from(("\n", "\n", "\r\n"))))


@st.composite
def row_of(draw: st.DrawFn, columns: Sequence[str], goal: FileGoal, profiles: Profiles) -> tuple[str, ...]:
    """A row; about one in eleven has too many or too few cells."""
    cells = tuple(draw(cell_of(column, goal, profiles)) for column in columns)
    ragged = ((*cells, "more"), cells[:-1] or ("a", "b"))
    return draw(st.sampled_from((cells,) * 20 + ragged))


def cell_of(column: str, goal: FileGoal, profiles: Profiles) -> st.SearchStrategy[str]:
    """A cell for the properties that the column fills; often a list where a property is `multiple`."""
    filled = [one.property for one in (*goal.link, *goal.map) if one.field == column] or [DETECTED.get(column, "")]
    props = [profiles.by_name.get(name, profiles.by_name["wish_list"]) for name in dict.fromkeys(filled)]
    plain = [cell for prop in props for cell in plain_cells(prop)]
    singles = st.sampled_from(["", *plain, *plain, *(cell for prop in props for cell in odd_cells(prop))])
    if any(prop.multiple for prop in props) and (goal.format.multi_value or goal.format.json_lists):
        join = goal.format.multi_value.join if goal.format.multi_value else json.dumps
        more = ODD_ELEMENTS if goal.format.json_lists else ()
        several = st.lists(st.sampled_from(["", *plain, *more]), min_size=2, max_size=3).map(join)
        return st.one_of(singles, several)
    return singles


def plain_cells(prop: Property) -> Sequence[str]:
    """Return cells that convert to the property's type."""
    if prop.name == "privacy_legislation":
        return ZONE_CELLS
    return (*prop.among, f" {prop.among[0]} ") if prop.among else CELLS[prop.type]


def odd_cells(prop: Property) -> Sequence[str]:
    """Return cells most of which do not convert."""
    return ODD_ZONE_CELLS if prop.name == "privacy_legislation" else ODD_CELLS[prop.type]


@st.composite
def redeliveries(draw: st.DrawFn, table: Table, goal: FileGoal, profiles: Profiles) -> Table:
    """The same file with rows removed, repeated, changed or appended, or with its columns reordered."""
    rows = [row for row in table.rows for _ in range(draw(st.sampled_from((1, 1, 1, 1, 0, 2))))]
    rows += draw(st.lists(row_of(table.columns, goal, profiles), max_size=2))
    if draw(st.booleans()) or any(len(row) != len(table.columns) for row in rows):
        return replace(table, rows=tuple(rows))
    order = draw(st.permutations(range(len(table.columns))))
    shuffled = tuple(tuple(row[place] for place in order) for row in rows)
    return replace(table, columns=tuple(table.columns[place] for place in order), rows=shuffled)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """One to four runs of a goal on one profile model."""
    profiles = draw(profile_models())
    goal = draw(goals(profiles))
    known: dict[str, Table] = {}
    deliveries = []
    for number in range(draw(st.sampled_from((3, 2, 4, 1)))):
        goal = draw(changed_goals(goal, profiles)) if number else goal
        files = draw(files_of(known, goal, profiles))
        known |= dict(files)
        deliveries.append(Delivery(goal, files, draw(objectives_of(profiles))))
    return History(profiles, tuple(deliveries))


def objectives_of(profiles: Profiles) -> st.SearchStrategy[tuple[str, ...]]:
    """The objectives of a connection: none, one, or all of the declared ones."""
    names = [objective.name for objective in profiles.objectives]
    return st.sampled_from([(), *((name,) for name in names), *([tuple(names)] * 2)])


@st.composite
def files_of(
    draw: st.DrawFn, known: dict[str, Table], goal: FileGoal, profiles: Profiles
) -> tuple[tuple[str, Table], ...]:
    """One to three files, each new or redelivered."""
    paths = sorted(draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=3, unique=True)))
    again = {path: path in known and draw(st.sampled_from((True, True, False))) for path in paths}
    return tuple(
        (path, draw(redeliveries(known[path], goal, profiles) if again[path] else tables(goal, profiles)))
        for path in paths
    )


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[Profiles, Delivery]:
    """A profile model and the first delivery of a history."""
    history = draw(histories())
    return history.profiles, history.deliveries[0]
