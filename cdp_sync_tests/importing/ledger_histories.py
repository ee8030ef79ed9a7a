"""Generated histories of runs that add to sums and lists.

They have row keys across files, corrected and removed rows, changed and renamed goals, and incomplete uploads. Files
have fixed columns and few different cells, so that rows repeat, move and return.
"""

import csv
import io
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.importing.sides import File

COLUMNS = ("Id", "Alt", "OrderId", "Amount", "More", "Tags", "Name")

CELLS = {
    "Id": ("a", "b", "c", ""),
    "Alt": ("x", "y", "", ""),
    "OrderId": ("o1", "o2", "o3", "o4", "o1", " "),
    "Amount": ("1", "2", "5", "10", "", "1,5", "NULL"),
    "More": ("1", "7", "", "x", "2.0"),
    "Tags": ("red", "blue", "red|green", "", "green"),
    "Name": ("Ann", "Bob", "", "NULL", 'say "it"'),
}

PROFILES = Profiles(
    properties=[
        {"name": "id", "identifier": True},
        {"name": "alt", "identifier": True},
        {"name": "total", "type": "decimal"},
        {"name": "count", "type": "number"},
        {"name": "tags", "multiple": True},
        {"name": "name"},
    ]
)

PATHS = ("/in/a.csv", "/in/b.csv", "/in/c.csv")

SOME_PATHS = st.sets(st.sampled_from(PATHS), min_size=1)

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class LedgerRun:
    """One run: its goal, and the files in its directory."""

    goal: FileGoal
    files: tuple[File, ...]
    """Files whose upload has ended."""
    growing: tuple[tuple[str, bytes, bytes], ...] = ()
    """Files that are being uploaded: path, content in a first listing, content in a second."""


@dataclass(frozen=True)
class Declared:
    """The settings of a goal that change between runs."""

    keyed: bool
    redelivered: str
    links: tuple[str, ...]
    sums: tuple[tuple[str, str], ...]
    adds: bool
    creates: bool
    people: bool
    form: tuple[tuple[str, Any], ...]
    names: tuple[str, ...] = ("orders",)
    """The names of the goal, in order of renaming."""

    @property
    def goal(self) -> FileGoal:
        """The goal with these settings."""
        form = dict(self.form)
        plain = form.get("header", True)

        def named(column: str) -> str:
            return column if plain else f"column{COLUMNS.index(column) + 1}"

        mappings = [{"field": named("Name"), "property": "name"}]
        mappings += [{"field": named(field), "property": prop, "mode": "sum"} for field, prop in self.sums]
        mappings += [{"field": named("Tags"), "property": "tags", "mode": "add"}] if self.adds else []
        return FileGoal(
            name="people" if self.people else self.names[-1],
            was=self.names[-2] if len(self.names) > 1 and not self.people else None,
            format={"multi_value": "|", **form} | ({} if plain else {"skip_rows": 1}),
            link=[{"field": named(field), "property": field.lower()} for field in self.links],
            map=mappings,
            allow_new_profiles=self.creates,
            row_key=[named("OrderId")] if self.keyed else [],
            redelivered=self.redelivered if not self.keyed else "adds",
        )


SUMS = ((("Amount", "total"),), (("Amount", "total"), ("More", "total")), (("Amount", "total"), ("More", "count")))
FORMS: tuple[tuple[tuple[str, Any], ...], ...] = (
    (),
    (),
    (("nulls", ("", "NULL")),),
    (("nulls", ("NULL",)),),
    (("decimal", ","),),
    (("header", False),),
    (("quote", ""),),
    (("encoding", "latin-1"),),
)


@st.composite
def declarations(draw: st.DrawFn) -> Declared:
    """A goal that sums one or two columns."""
    return Declared(
        keyed=draw(st.booleans()),
        redelivered=draw(st.sampled_from(("adds", "replaces"))),
        links=draw(st.sampled_from((("Id",), ("Id", "Alt"), ("Alt", "Id")))),
        sums=draw(st.sampled_from(SUMS)),
        adds=draw(st.booleans()),
        creates=draw(st.sampled_from((True, False))),
        people=False,
        form=draw(st.sampled_from(FORMS)),
    )


@st.composite
def changed(draw: st.DrawFn, before: Declared) -> Declared:
    """Mostly the same settings; else one of them changed, for example the name."""
    other = replace(draw(declarations()), names=(*before.names, f"orders{len(before.names)}"))
    names = ("keyed", "redelivered", "links", "sums", "adds", "creates", "form", "form", "names", "names")
    name = draw(st.sampled_from(("",) * 6 + names))
    return replace(before, **{name: getattr(other, name)}) if name else before


ROW = st.tuples(*(st.sampled_from(CELLS[column]) for column in COLUMNS))


SOME_ROWS = st.lists(ROW, min_size=1, max_size=3).map(tuple)


@st.composite
def redelivered(draw: st.DrawFn, rows: Rows) -> Rows:
    """The rows with some removed, repeated, corrected in one cell, or appended."""
    left = [row for row in rows for _ in range(draw(st.sampled_from((1, 1, 1, 1, 0, 2))))]
    for place in range(len(left)):
        if draw(st.sampled_from((True, False, False))):
            column = draw(st.sampled_from(range(len(COLUMNS))))
            cell = draw(st.sampled_from(CELLS[COLUMNS[column]]))
            left[place] = (*left[place][:column], cell, *left[place][column + 1 :])
    return (*left, *draw(st.lists(ROW, max_size=2)))


@st.composite
def uploads(draw: st.DrawFn, content: bytes) -> tuple[bytes, bytes]:
    """Two prefixes of the content, the second longer or complete."""
    first = draw(st.integers(0, len(content) - 1))
    return content[:first], content[: draw(st.integers(first + 1, len(content)))]


@st.composite
def ledger_histories(draw: st.DrawFn) -> tuple[LedgerRun, ...]:
    """Two to five runs, most of one goal and some of another that creates people and fills the same properties."""
    declared = draw(declarations())
    people = replace(declared, keyed=False, creates=True, people=True, form=())
    known: dict[str, Rows] = {}
    late: dict[str, bytes] = {}
    runs = []
    for number in range(draw(st.sampled_from((2, 3, 4, 5)))):
        if draw(st.sampled_from((True, False, False))):
            runs.append(LedgerRun(people.goal, ((f"/people/{number}.csv", written(draw(SOME_ROWS))),)))
            continue
        declared = draw(changed(declared)) if number else declared
        files, late = late, {}
        growing = []
        for path in sorted(draw(SOME_PATHS) - files.keys()):
            how = draw(st.sampled_from(("same", "again", "again", "new"))) if path in known else "new"
            if how == "new":
                known[path] = tuple(draw(st.lists(ROW, min_size=1, max_size=5)))
            elif how == "again":
                known[path] = draw(redelivered(known[path]))
            files[path] = written(known[path])
            if draw(st.sampled_from((False,) * 5 + (True,))):
                late[path] = files.pop(path)
                growing.append((path, *draw(uploads(late[path]))))
        runs.append(LedgerRun(declared.goal, tuple(sorted(files.items())), tuple(growing)))
    return tuple(runs)


def written(rows: Rows) -> bytes:
    """Return the rows as a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((COLUMNS, *rows))
    return text.getvalue().encode()
