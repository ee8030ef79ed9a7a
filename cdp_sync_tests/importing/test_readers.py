"""The readers of JSON lines and plain lines agree with plain Python and account for every line."""

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
from cdp_sync.importing.reading.readers import READERS
from cdp_sync.importing.sources.archives import Part
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.model import Format, ImportGoal, Profiles, RemoteFile
from cdp_sync.model.format import WHITE_SPACE
from cdp_sync.model.remote import FetchedFile
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync_tests.trail.importer import NOON, Importer, check_adds_up, goal

FIELDS = ("a", "a.b", "a.b.c", "tags", "x y", "ü", "0")

KEYS = st.sampled_from(["a", "b", "c", "a.b", "tags", "x y", "ü", "0", "", 'q"', "back\\", "sl/ash~", "*"])
NUMBERS = st.sampled_from(
    ["0", "-1", "12", "1.5", "-0.25", "9007199254740993", "12345678901234567890123", "12345678901234.5678"]
) | st.decimals(allow_nan=False, allow_infinity=False, places=4).map(lambda it: f"{it:f}")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, range(0xFDD0, 0xFDF0)))))
STRINGS = TEXT.map(json.dumps) | TEXT.map(lambda it: json.dumps(it, ensure_ascii=False)) | st.sampled_from(
    ['", 1.23456789012345678 "', '":2.123456789012345678"', '"\\"5.12345678901234567\\""']
)  # fmt: skip
SCALARS = st.sampled_from(["null", "true", "false"]) | NUMBERS | STRINGS


def _object(entries: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in entries) + "}"


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: f"[{','.join(values)}]")
        | st.lists(st.tuples(KEYS, inner), max_size=4).map(_object)
    ),
    max_leaves=8,
)
OBJECTS = st.lists(st.tuples(KEYS, VALUES), max_size=5).map(_object)
OTHERS = st.sampled_from(["[1]", '"text"', "12", "null", '{"a":1', "a,b", '{"a":1} x', "{'a':1}", '{"a":01}'])
LINES = st.lists(st.one_of(OBJECTS, OBJECTS, OBJECTS, OTHERS, st.sampled_from(["", "  ", "\t"])), max_size=8)
BREAKS = st.sampled_from(["\n", "\r\n", "\r"])


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session that all examples share."""
    with Warehouse(tmp_path_factory.mktemp("readers") / "warehouse.duckdb").open("none") as opened:
        yield opened


class Number(str):
    """A JSON number in its original notation."""

    __slots__ = ()


def keep_first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object that keeps the first of repeated keys."""
    return dict(reversed(pairs))


def parse(text: str) -> Any:
    """Parse JSON; numbers keep their original notation."""
    return json.loads(text, parse_float=Number, parse_int=Number, object_pairs_hook=keep_first)


def read_by_python(text: str) -> tuple[list[tuple[int, dict[str, Any]]], list[int]]:
    """Return the objects with their line numbers, and the line numbers of rejected lines."""
    rows, rejected = [], []
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if not line.strip(WHITE_SPACE):
            continue
        try:
            value = parse(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            rows.append((number, value))
        else:
            rejected.append(number)
    return rows, rejected


def values_of(value: Any, field: str) -> Iterator[Any]:
    """Yield the candidate values of a dotted field, the longest first key first."""
    parts = field.split(".")
    found = []
    for bits in range(2 ** (len(parts) - 1)):
        keys, at = [parts[0]], value
        for place, part in enumerate(parts[1:]):
            if bits >> place & 1:
                keys.append(part)
            else:
                keys[-1] += f".{part}"
        for key in keys:
            at = at.get(key) if isinstance(at, dict) else None
        if at is not None:
            found.append((len(keys), [-len(key) for key in keys], at))
    yield from (at for *_, at in sorted(found, key=lambda it: it[:2]))


def same(cell: str | None, value: Any) -> bool:
    """Return whether a cell equals a value; numbers, lists and objects are compared by value."""
    if value is None or cell is None:
        return value is cell
    if isinstance(value, bool):
        return cell == json.dumps(value)
    if isinstance(value, Number):
        return Decimal(cell) == Decimal(value)
    if isinstance(value, str):
        return cell == value
    return alike(parse(cell), value)


def alike(one: Any, other: Any) -> bool:
    """Return whether two values are equal, where numbers may have become strings."""
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in other)
    if isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(other, Number):
        try:
            return Decimal(one) == Decimal(other)
        except InvalidOperation:
            return False
    return bool(one == other)


def read(session: Session, reader: str, local: Path, fields: tuple[str, ...], **declared: Any) -> tuple[Any, ...]:
    """Read a file; return its columns, cells, line numbers, and the line numbers of rejected lines."""
    links = [{"field": name, "property": "_"} for name in fields]
    made = ImportGoal(name="g", link=links, format=Format(json_lists=True), **declared)
    part = READERS[reader].normalize(session, Part("/f", local), made, None, ())  # type: ignore[index]
    if part is None:
        return (), [], [], []
    READERS[reader].read(session, part, made.format)  # type: ignore[index]
    cells = session.rows(f"select * from {part.relation}")
    lines = [n for (n,) in session.rows("select n from record order by n")]
    rejected = [n for (n,) in session.rows("select n from reject order by n")]
    return part.head.columns, cells, lines, rejected


@given(lines=LINES, line_break=BREAKS, mark=st.booleans())
def test_json_lines_are_read_as_by_python(
    session: Session, tmp_path_factory: pytest.TempPathFactory, lines: list[str], line_break: str, mark: bool
) -> None:
    """Cells, line numbers and rejected lines equal those of Python's JSON parser."""
    text = line_break.join(lines)
    local = tmp_path_factory.mktemp("file") / "f"
    local.write_bytes(b"\xef\xbb\xbf" * mark + text.encode())
    rows, rejected = read_by_python(text)
    expected = [{field: next(values_of(row, field), None) for field in (*FIELDS, "id")} for _, row in rows]
    if not rows or all(value is None for row in expected for value in row.values()):
        return  # no linked field in the file, which is refused
    columns, cells, numbers, refused = read(session, "ndjson", local, (*FIELDS, "id"))
    assert (numbers, refused) == ([number for number, _ in rows], rejected)
    for row, of_row in zip(expected, cells, strict=True):
        found = dict(zip(columns, of_row, strict=True))
        for field, value in row.items():
            assert same(found.get(field), value), (field, value, found.get(field))


@given(lines=st.lists(OBJECTS, min_size=1, max_size=6))
def test_each_key_becomes_a_detected_field(
    session: Session, tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    """With `map_detected`, each key whose value is not an object becomes a field."""
    local = tmp_path_factory.mktemp("file") / "f"
    local.write_text("\n".join(['{"id": 1}', *lines]), encoding="utf-8")
    columns, *_ = read(session, "ndjson", local, ("id",), map_detected={})
    rows, _ = read_by_python(local.read_text(encoding="utf-8"))
    assert set(columns) == {field for _, row in rows for field in leaves(row)}


def leaves(value: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the dotted names of the values that are not objects."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from leaves(inner, (*above, key))
        elif inner is not None:
            yield ".".join((*above, key))


@given(lines=st.lists(TEXT.filter(lambda it: not set(it) & set("\r\n")), max_size=8), line_break=BREAKS)
def test_plain_lines_are_read_as_by_python(
    session: Session, tmp_path_factory: pytest.TempPathFactory, lines: list[str], line_break: str
) -> None:
    """Each line that is not blank becomes one unchanged cell."""
    text = line_break.join(lines)
    local = tmp_path_factory.mktemp("file") / "f"
    local.write_bytes(text.encode())
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    expected = [(number, line) for number, line in enumerate(lines, 1) if line.strip(WHITE_SPACE)]
    columns, cells, numbers, refused = read(session, "lines", local, ("line",))
    assert columns == (("line",) if expected else ())
    assert [(number, cell) for number, (cell,) in zip(numbers, cells, strict=True)] == expected
    assert refused == []


PEOPLE = """\
{"email": "ann@x.io", "address": {"city": "Berlin"}, "tags": ["a", 1, true], "total": 12345678901234.5678}

{"email": "bob@x.io", "address": null, "tags": [], "note": "x"}
{"email": "broken
["no object"]
{"email": "eve@x.io", "tags": "one", "total": "abc"}
"""

DECLARED = Profiles(
    properties=(
        {"name": "email", "type": "email", "identifier": True},
        {"name": "city"},
        {"name": "tags", "multiple": True},
        {"name": "total", "type": "decimal"},
    )
)


def deliver(importer: Importer, reader: str, content: bytes) -> Any:
    """Import one file by a reader and return the report."""
    run = importer.new_run()
    local = importer.folder / "f"
    local.write_bytes(content)
    remote = RemoteFile(NOON, "/stream", len(content))
    stage_files(run, [FetchedFile(remote, local, str(hash(content)), reader=reader)])  # type: ignore[arg-type]
    link_identifiers(run)
    return upsert_profiles(run)


def test_a_file_of_json_lines_is_imported(tmp_path: Path) -> None:
    """Nested keys, lists and exact numbers are imported; rejected lines are quarantined with number and text."""
    fields = {"email": "email", "address.city": "city", "tags": "tags", "total": "total"}
    importer = Importer(
        tmp_path,
        goal(
            link=[{"field": "email", "property": "email"}],
            map=[{"field": field, "property": name} for field, name in fields.items() if name != "email"],
            format={"json_lists": True},
        ),
        DECLARED,
    )
    report = deliver(importer, "ndjson", PEOPLE.encode())
    check_adds_up(report)
    query = "select email, city, tags, total from warehouse.live_profile order by email"
    assert importer.rows(query) == [
        ("ann@x.io", "Berlin", ["a", "1", "true"], Decimal("12345678901234.5678")),
        ("bob@x.io", None, None, None),
        ("eve@x.io", None, None, None),
    ]
    assert importer.rows("select line, field, raw, reason from warehouse.quarantine order by line, field") == [
        (4, None, '{"email": "broken', "not JSON"),
        (5, None, '["no object"]', "no JSON object"),
        (6, "tags", None, "not a JSON array of texts, numbers and truth values"),
        (6, "total", None, "not a number with '.' and at most 4 decimals within 18 digits"),
    ]
    again = deliver(importer, "ndjson", PEOPLE.replace("Berlin", "Bern").encode())
    assert (again.counters.rows_unchanged, again.counters.rows_applied) == (2, 1)


def test_a_list_of_addresses_is_imported(tmp_path: Path) -> None:
    """Each line is one address; blank lines are skipped, and a line that is not UTF-8 is rejected."""
    importer = Importer(
        tmp_path, goal(link=[{"field": "line", "property": "email"}], map=[{"field": "line", "property": "first_name"}])
    )
    report = deliver(importer, "lines", b"ann@x.io\r\n\r\nbob@x.io\r\n\xff@x.io\r\n")
    check_adds_up(report)
    assert sorted(importer.column("first_name")) == ["ann@x.io", "bob@x.io"]
    assert [row[1] for row in importer.quarantine()] == [4]


@pytest.mark.parametrize("reader", ["ndjson", "lines"])
def test_a_file_of_blank_lines_is_empty(reader: str, tmp_path: Path) -> None:
    """A file of blank lines is imported with the warning that it is empty."""
    importer = Importer(tmp_path, goal(link=[{"field": "line", "property": "email"}]))
    report = deliver(importer, reader, b"\n  \n")
    assert report.files[0].warnings == ("The file is empty.",)
