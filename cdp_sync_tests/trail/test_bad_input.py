"""Invalid files: each row lands or is reported by name and reason, and no other file is affected."""

import time
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from cdp_sync.errors import CdpSyncError
from cdp_sync.model import ImportReport, Profiles
from cdp_sync.warehouse.history import standing
from cdp_sync_tests.trail.archives import gzipped, zip_bomb, zipped
from cdp_sync_tests.trail.importer import Content, Importer, check_adds_up, goal

GOOD = {"/good.csv": "Email,Name\ngood@example.com,Good\n"}
"""A valid file beside the invalid one, which must land."""

SUM = [{"field": "Total", "property": "order_total", "mode": "sum"}]


CLASHING = ("first_row", "changed")


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """Imports names by e-mail address."""
    return Importer(tmp_path)


def deliver(importer: Importer, content: Content, path: str = "/bad.csv") -> ImportReport:
    """Deliver an invalid and a valid file. The valid one must land and all rows be accounted for."""
    report = importer.deliver({path: content, **GOOD})
    check_adds_up(report)
    assert report.files[1].state == "imported"
    assert importer.column("first_name")["good@example.com"] == "Good"
    return report


def failure_of(importer: Importer, content: Content, path: str = "/bad.csv") -> str:
    """Deliver a file that must fail as a whole; return its message."""
    report = deliver(importer, content, path)
    assert report.files[0].state == "failed"
    assert report.state == "failed"
    assert list(importer.column("first_name")) == ["good@example.com"]
    assert importer.rows("select path from warehouse.imported_file") == [("/good.csv",)]
    return report.files[0].message


# Rows


def test_ragged_rows_are_rejected(importer: Importer) -> None:
    """A row with too few or too many fields is rejected with its line; the others land."""
    report = deliver(importer, "Email,Name\na@example.com,Ann\nb@example.com\nc@example.com,Cid,more\n")
    assert (report.files[0].counters.rows_read, report.files[0].counters.rows_rejected) == (3, 2)
    assert [(line, reason[:7]) for _, line, _, _, reason in importer.quarantine()] == [(3, "too few"), (4, "too man")]


def test_an_unclosed_quote_rejects_one_line(importer: Importer) -> None:
    """The line with an unclosed quote is rejected; every line after it is parsed independently."""
    report = deliver(importer, 'Email,Name\na@example.com,Ann\nb@example.com,"Bob\nc@example.com,C\nd@example.com,D\n')
    assert (report.files[0].counters.rows_read, report.files[0].counters.rows_rejected) == (4, 1)
    assert importer.quarantine() == [("/bad.csv", 3, None, None, "a quote opens and does not close")]


def test_the_report_has_ten_reasons_and_the_others_as_one(importer: Importer) -> None:
    """What is less frequent than the first ten reasons is counted together, so that the counts add up."""
    rows = [",".join(["x"] * fields) for fields in (3, *range(3, 16))]
    report = deliver(importer, "\n".join(["Email,Name", "a@example.com,Ann", *rows]))
    assert report.reasons[0] == ("too many fields: 3 of 2", 2)
    assert [times for _, times in report.reasons] == [2, *[1] * 9, 3]
    assert report.reasons[-1][0] == "other reasons; see the quarantine"


def test_a_line_inside_a_quote_names_the_line_of_the_quote(importer: Importer) -> None:
    """Each further line of a rejected record names the line of the opening quote; report and checks count them all."""
    report = deliver(importer, 'Email,Name\na@example.com,Ann\nb@example.com,"Bob\nc@example.com,C\nd",x,y\n')
    several = "too many fields: 4 of 2"
    assert [(line, reason) for _, line, _, _, reason in importer.quarantine()] == [
        (3, several),
        (4, f"{several}; the quote opens on line 3"),
        (5, f"{several}; the quote opens on line 3"),
    ]
    assert report.reasons == ((several, 3),)
    with importer.warehouse.open("read") as session:
        (stands,) = standing(session, importer.connection, importer.goal.name)
    assert (stands.reason, stands.times) == (several, 3)


@pytest.mark.slow
def test_an_unclosed_quote_in_two_million_rows_rejects_one_row(importer: Importer) -> None:
    """An unclosed quote in the middle of two million rows rejects its own row only."""
    rows = [f"p{number}@example.com,N{number}\n" for number in range(2_000_000)]
    rows[1_000_000] = 'p1000000@example.com,"open\n'
    report = deliver(importer, "Email,Name\n" + "".join(rows))
    assert report.files[0].counters.rows_applied == 1_999_999
    assert importer.quarantine() == [("/bad.csv", 1_000_002, None, None, "a quote opens and does not close")]


def test_a_ten_megabyte_cell_is_rejected(importer: Importer) -> None:
    """A cell that is too long for the parser rejects its own row only."""
    report = deliver(importer, f"Email,Name\na@example.com,Ann\nb@example.com,{'x' * 10_000_000}\nc@example.com,Cid\n")
    assert (report.files[0].counters.rows_applied, report.files[0].counters.rows_rejected) == (2, 1)
    assert importer.quarantine() == [("/bad.csv", 3, None, None, "longer than 2,000,000 bytes")]
    assert importer.rows("select len(raw) <= 10000 from warehouse.quarantine") == [(True,)]


def test_a_long_value_is_stored_completely(importer: Importer) -> None:
    """A value of a megabyte and a half is stored completely."""
    long = "é" * 750_000
    deliver(importer, f"Email,Name\na@example.com,{long}\n")
    assert importer.column("first_name")["a@example.com"] == long


def test_an_endless_line_is_reported(importer: Importer) -> None:
    """A line of seventy megabytes fails its file or its row, not the other files."""
    deliver(importer, f'Email,Name\na@example.com,Ann\nb@example.com,{"x" * 70_000_000}\nc@example.com,"C\nC"\n')


def test_a_nul_byte_is_reported(importer: Importer) -> None:
    """A cell with a NUL byte is quarantined; its row lands."""
    report = deliver(importer, "Email,Name\na@example.com,A\0A\nb@example.com,Bob\n")
    assert (report.files[0].counters.rows_applied, report.files[0].counters.values_invalid) == (2, 1)
    assert importer.column("first_name")["a@example.com"] is None
    assert importer.quarantine() == [("/bad.csv", 2, "Name", "A\0A", "holds a NUL byte")]


def test_newlines_of_all_kinds(importer: Importer) -> None:
    """CRLF ends lines, quoted newlines are part of the value, and line numbers are physical lines."""
    deliver(importer, 'Email,Name\r\na@example.com,"Ann\r\nLee"\r\nb@example.com,Bob\r\nc@example.com\r\n')
    assert importer.column("first_name") == {
        "a@example.com": "Ann\r\nLee", "b@example.com": "Bob", "good@example.com": "Good",
    }  # fmt: skip
    assert [line for _, line, *_ in importer.quarantine()] == [5]


def test_emoji_are_unchanged(importer: Importer) -> None:
    """Characters outside the BMP, and joined ones, are stored unchanged."""
    deliver(importer, "Email,Name\na@example.com,👩‍👩‍👧‍👦 Zoë 𝄞\n")
    assert importer.column("first_name")["a@example.com"] == "👩‍👩‍👧‍👦 Zoë 𝄞"


# Whole files


def test_a_wrong_separator_names_the_right_one(importer: Importer) -> None:
    """A file with another separator fails, and the message names the right one."""
    assert "`separator: ';'`" in failure_of(importer, "Email;Name\na@example.com;Ann\n")


def test_latin_1_instead_of_utf_8(importer: Importer) -> None:
    """Rows that are not UTF-8 are rejected with a hint; the others land."""
    report = deliver(importer, "Email,Name\na@example.com,Zoë\nb@example.com,Bob\n".encode("latin-1"))
    assert (report.files[0].counters.rows_applied, report.files[0].counters.rows_rejected) == (1, 1)
    assert [(line, reason[:9]) for _, line, _, _, reason in importer.quarantine()] == [(2, "not utf-8")]


@pytest.mark.parametrize("other", ["\n", '"A\nA",a@example.com\n'], ids=["blank line", "quoted line break"])
def test_latin_1_among_blank_lines(importer: Importer, other: str) -> None:
    """Rows that are not UTF-8 are also rejected among blank lines and quoted newlines."""
    content = f"Name,Email\n{other}Zoë,b@example.com\nCid,c@example.com\n".encode("latin-1")
    report = deliver(importer, content)
    assert report.files[0].counters.rows_rejected == 1
    assert importer.column("first_name")["c@example.com"] == "Cid"


def test_a_parser_error_shows_no_values(importer: Importer) -> None:
    """A parser error shows no values of the file."""
    try:
        report = importer.deliver({"/bad.csv": b"Email,Name\n\nsecret@example.com,Zo\xeb\n"})
    except CdpSyncError as error:
        message = str(error)
    else:
        message = report.message
    assert "secret@example.com" not in message


def test_utf_8_instead_of_utf_16(tmp_path: Path) -> None:
    """A file that is not UTF-16 fails, and the message names possible encodings."""
    importer = Importer(tmp_path, goal(format={"encoding": "utf-16"}))
    report = importer.deliver({"/a.csv": "Email,Name\na@example.com,Zoë\n"})
    assert report.state == "failed"
    assert "utf-8 may fit" in report.message
    assert importer.column("first_name") == {}


def test_an_empty_file(importer: Importer) -> None:
    """An empty file is a success with a message."""
    report = deliver(importer, "")
    assert report.files[0].state == "imported"
    assert report.files[0].warnings == ("The file is empty.",)


def test_a_header_without_rows(importer: Importer) -> None:
    """A file with only a header is a success without rows."""
    report = deliver(importer, "Email,Name\n")
    assert (report.files[0].state, report.files[0].counters.rows_read) == ("imported", 0)


# Columns


def test_a_mapped_column_twice(importer: Importer) -> None:
    """A mapped column that occurs twice is ambiguous and fails the file."""
    assert "'Name' more than once" in failure_of(importer, "Email,Name,Name\na@example.com,Ann,Bob\n")


def test_other_columns_may_be_blank_or_repeated(importer: Importer) -> None:
    """Blank or repeated names of unmapped columns are ignored."""
    deliver(importer, "Email,,Name,X,X,\na@example.com,1,Ann,2,3,4\n")
    assert importer.column("first_name")["a@example.com"] == "Ann"


def test_a_missing_linked_column(importer: Importer) -> None:
    """A missing linked column fails the file; the message has the found and the needed columns."""
    message = failure_of(importer, "Mail,Name\na@example.com,Ann\n")
    assert "'Mail', 'Name'" in message
    assert "'Email'" in message


def test_a_missing_mapped_column(importer: Importer) -> None:
    """A missing mapped column is a warning and clears nothing."""
    importer.deliver({"/before.csv": "Email,Name\na@example.com,Ann\n"})
    report = deliver(importer, "Email,Nom\na@example.com,Ann\n")
    assert report.files[0].warnings == ("Column 'Name' is not in the file.",)
    assert importer.column("first_name")["a@example.com"] == "Ann"


def test_columns_that_differ_in_case_only(importer: Importer) -> None:
    """`Email` and `email` are two columns; the declared one counts."""
    deliver(importer, "email,Email,name,Name\nb@example.com,a@example.com,Bob,Ann\n")
    assert importer.column("first_name") == {"a@example.com": "Ann", "good@example.com": "Good"}


FIELDS = [
    *("row", "file", "link_0", "c1", "value", "part", "invalid", "rowid", "column0"),
    *(
        'say "so"',
        "it's",
        "$now",
        "$run_id",
        "{{ env('HOME') }}",
        "100%; drop table profile",
        "--",
        "/*",
        "\\",
        "?",
        "😀",
    ),
]


def test_fields_of_any_name(tmp_path: Path) -> None:
    """A field of any name is mapped, summed and named in the quarantine."""
    properties = [{"name": f"p{number}", "type": "decimal"} for number in range(len(FIELDS))]
    mapping = [{"field": name, "property": f"p{number}", "mode": "sum"} for number, name in enumerate(FIELDS)]
    declared = Profiles(properties=({"name": "email", "type": "email", "identifier": True}, *properties))
    importer = Importer(tmp_path, goal(map=mapping), declared)
    header = ",".join('"' + name.replace('"', '""') + '"' for name in FIELDS)
    rows = [",".join(f"{number}{end}" for number in range(len(FIELDS))) for end in (".5", "", "x")]
    content = f"Email,{header}\n" + "".join(f"a@example.com,{row}\n" for row in rows)
    for path in ("/1.csv", "/2.csv"):
        check_adds_up(importer.deliver({path: content}))
    for number in range(len(FIELDS)):
        assert importer.column(f"p{number}") == {"a@example.com": 2 * (2 * number + Decimal("0.5"))}
    assert sorted(entry[2] for entry in importer.quarantine()) == sorted([*FIELDS, *FIELDS])


WORDS = [
    *("select", "order", "group", "where", "null", "true", "table", "user", "profile", "count", "sum", "now", "len"),
    *("row", "file", "value", "link_0", "c1", "patch", "revised", "rows", "is_new", "added", "property", "gain_email"),
]
"""SQL keywords and functions, and names of our own tables and columns."""


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(WORDS, id="words"),
        *(pytest.param([name], id=name) for name in ("first_row", "changed", "old_email", "old_order_total")),
    ],
)
def test_properties_of_any_name(names: list[str], tmp_path: Path) -> None:
    """A property of any name is created, updated and reported; other properties are unchanged."""
    properties = ({"name": "email", "type": "email", "identifier": True}, {"name": "order_total"})
    declared = Profiles(properties=(*properties, *({"name": name} for name in names)))
    mapping = [{"field": f"F{number}", "property": name} for number, name in enumerate(names)]
    importer = Importer(tmp_path, goal(map=[{"field": "T", "property": "order_total"}, *mapping]), declared)
    header = "Email,T," + ",".join(f"F{number}" for number in range(len(names)))

    def content(*rows: str) -> str:
        return "\n".join([header, *(row + row[-2:] * (len(names) - 1) for row in rows), ""])

    importer.deliver({"/1.csv": content("a@example.com,2,1", "a@example.com,4,3", "b@example.com,6,5")})
    report = importer.deliver({"/2.csv": content("a@example.com,8,7", "b@example.com,9,5")})
    for name in names:
        assert importer.column(name) == {"a@example.com": "7", "b@example.com": "5"}
    assert importer.column("order_total") == {"a@example.com": "8", "b@example.com": "9"}
    assert report.counters.profiles_updated == 2
    changed = importer.rows("select properties from warehouse.profile_change where kind = 'updated'")
    assert sorted(len(found) for (found,) in changed) == [1, len(names) + 1]


@pytest.mark.parametrize("name", ["value", "property", "row", *CLASHING])
def test_an_identifier_of_any_name(tmp_path: Path, name: str) -> None:
    """An identifier with the name of an internal column links, and is stored in profile_identifier."""
    properties = ({"name": name, "identifier": True}, {"name": "email", "type": "email", "identifier": True}, *NAME)
    links = [{"field": "K", "property": name}, {"field": "Email", "property": "email"}]
    importer = Importer(tmp_path, goal(link=links), Profiles(properties=properties))
    importer.deliver({"/1.csv": "K,Email,Name\none,a@example.com,Ann\ntwo,,Bob\n"})
    importer.deliver({"/2.csv": "K,Email,Name\none,,Lee\ntwo,b@example.com,Cid\n"})
    assert importer.column("first_name", by=name) == {"one": "Lee", "two": "Cid"}
    held = importer.rows('select property, "value" from warehouse.profile_identifier order by all')
    assert held == sorted([("email", "a@example.com"), ("email", "b@example.com"), (name, "one"), (name, "two")])


NAME = ({"name": "first_name"},)


# Detected columns


@pytest.mark.parametrize(
    "columns",
    [("Foo", "foo"), ("A b", "A-b"), ("Имя", "Город"), ("Name2", "First Name"), ("$", "%")],
    ids=["case", "punctuation", "Cyrillic", "a mapped one", "nothing left"],
)
def test_detected_columns_of_the_same_property(tmp_path: Path, columns: tuple[str, str]) -> None:
    """Two detected columns with the same property name are not mixed up, and the other files land."""
    importer = Importer(tmp_path, goal(map_detected={}))
    report = deliver(importer, f"Email,Name,{columns[0]},{columns[1]}\na@example.com,Ann,x,y\n")
    assert report.files[0].state == "failed" or importer.column("first_name")["a@example.com"] == "Ann"
    held = importer.rows("select * from warehouse.profile where email = 'a@example.com'")
    assert "xy" not in [value for row in held for value in row]


@pytest.mark.parametrize("column", ["created_at", "Profile-ID", "merged into", "updated_at"])
def test_a_detected_column_of_a_reserved_name(tmp_path: Path, column: str) -> None:
    """A detected column never changes a reserved column of its name, nor the other files."""
    importer = Importer(tmp_path, goal(map_detected={}))
    report = deliver(importer, f"Email,Name,{column}\na@example.com,Ann,1999-01-01\n")
    assert report.files[0].state == "failed" or importer.column("first_name")["a@example.com"] == "Ann"
    assert importer.rows("select count(*) from warehouse.profile where year(created_at) < 2020") == [(0,)]


def test_five_hundred_columns(tmp_path: Path) -> None:
    """A row of 500 detected columns sets 500 properties."""
    importer = Importer(tmp_path, goal(map=[], map_detected={"prefix": "x_", "max_columns": 500}))
    header = ",".join(f"Column {number}" for number in range(500))
    report = importer.deliver({"/a.csv": f"Email,{header}\na@example.com,{','.join(map(str, range(500)))}\n"})
    assert report.counters.rows_applied == 1
    held = importer.rows("select columns('x_column_.*') from warehouse.profile")
    assert sorted(map(int, held[0])) == list(range(500))


def test_a_hundred_thousand_columns_are_refused(tmp_path: Path) -> None:
    """A file that would add 100,000 properties fails soon, with their number."""
    importer = Importer(tmp_path, goal(map_detected={}))
    header, cells = ",".join(f"c{number}" for number in range(100_000)), ",1" * 100_000
    began = time.process_time()
    report = importer.deliver({"/a.csv": f"Email,{header}\na@example.com{cells}\n", **GOOD})
    assert time.process_time() - began < 10
    assert [file.state for file in report.files] == ["failed", "imported"]
    assert "has 100,000 columns that nothing maps. At most 200" in report.files[0].message


# Values


def test_thousands_separators_are_not_guessed(tmp_path: Path) -> None:
    """A number with thousands separators is quarantined: a guess could be wrong by a factor of 1,000."""
    importer = Importer(tmp_path, goal(map=SUM))
    rows = ['a@example.com,"1,234.50"', "a@example.com,1 234", "a@example.com,2"]
    report = importer.deliver({"/a.csv": "\n".join(["Email,Total", *rows, ""])})
    check_adds_up(report)
    assert importer.column("order_total") == {"a@example.com": Decimal(2)}
    assert [(line, value) for _, line, _, value, _ in importer.quarantine()] == [(2, "1,234.50"), (3, "1 234")]


def test_dates_that_do_not_exist(tmp_path: Path) -> None:
    """A date that does not exist is quarantined."""
    importer = Importer(tmp_path, goal(map=[{"field": "Born", "property": "birthday"}]))
    days = {"a": "2023-02-29", "b": "2024-02-29", "c": "2024-04-31", "d": "0000-00-00", "e": "2024-13-01"}
    rows = "".join(f"{name}@example.com,{day}\n" for name, day in days.items())
    report = importer.deliver({"/a.csv": f"Email,Born\n{rows}"})
    assert (report.counters.rows_applied, report.counters.values_invalid) == (5, 4)
    assert {value for value in importer.column("birthday").values() if value} == {date(2024, 2, 29)}
    assert [value for _, _, _, value, _ in importer.quarantine()] == [days[name] for name in "acde"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("order_total", "99999999999999"), ("order_count", "9223372036854775807")],
    ids=["decimal", "number"],
)
def test_a_sum_that_overflows_quarantines_the_cell(tmp_path: Path, name: str, value: str) -> None:
    """The cell that would overflow a sum is quarantined, the rest lands, and a correction lands later."""
    importer = Importer(tmp_path, goal(map=[{"field": "Total", "property": name, "mode": "sum"}]))
    importer.deliver({"/before.csv": "Email,Total\na@example.com,1\n"})
    rows = (("a", value), ("a", "2"), ("b", value), ("b", value))
    lines = [f"{who}@example.com,{total}\n" for who, total in rows]
    report = importer.deliver({"/a.csv": "".join(["Email,Total\n", *lines])})
    check_adds_up(report)
    assert (report.counters.rows_applied, report.counters.values_invalid) == (4, 2)
    assert value not in report.message
    (first, second) = importer.quarantine()
    assert first[:3] == ("/a.csv", 2, "Total")
    assert second[:3] == ("/a.csv", 5, "Total")
    assert f"the sum would not fit {name}" in first[4]
    assert importer.column(name) == {"a@example.com": 3, "b@example.com": Decimal(value)}
    importer.deliver({"/a.csv": f"Email,Total\na@example.com,4\na@example.com,2\nb@example.com,{value}\n"})
    assert importer.column(name) == {"a@example.com": 7, "b@example.com": Decimal(value)}


# Archives


@pytest.mark.parametrize("name", ["../evil.csv", "a/../../evil.csv", "/evil.csv", "..\\evil.csv"])
def test_an_archive_with_a_path_outside_its_folder(importer: Importer, name: str) -> None:
    """A member with a path outside the folder fails the archive, and nothing is written outside."""
    content = zipped({"fine.csv": "Email,Name\na@example.com,Ann\n", name: "Email,Name\nb@example.com,Bob\n"})
    assert "leaves the archive" in failure_of(importer, content, "/bad.zip")
    assert not list(importer.folder.rglob("evil*"))


def test_a_zip_bomb(importer: Importer) -> None:
    """An archive that unpacks to a thousand times its size is stopped, and its files are removed."""
    bomb = zip_bomb(megabytes=300)
    assert len(bomb) < 2 << 20
    assert "unpacks to more than" in failure_of(importer, bomb, "/bad.zip")
    assert not list(importer.folder.rglob("*.unpacked"))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/bad.zip", b"PK\x03\x04 and no more"),
        ("/bad.gz", b"\x1f\x8b and no more"),
        ("/bad.csv.gz", gzipped("Email,Name\n" + "a@example.com,Ann\n" * 10_000)[:-20]),
    ],
    ids=["zip", "gz", "cut off"],
)
def test_a_damaged_archive(importer: Importer, path: str, content: bytes) -> None:
    """A damaged archive fails as a whole, including the rows before the damage."""
    assert "damaged" in failure_of(importer, content, path)


# Many


def test_two_goals_on_the_same_files(tmp_path: Path) -> None:
    """Each goal has its own ledger: both import the file, once each."""
    names, totals = Importer(tmp_path), Importer(tmp_path, goal(name="totals", map=SUM, allow_new_profiles=False))
    totals.runs = 10
    file = {"/a.csv": "Email,Name,Total\na@example.com,Ann,1.5\na@example.com,Ann,2\n"}
    for _ in range(2):
        names.deliver(file)
        totals.deliver(file)
    assert names.rows("select email, first_name, order_total from warehouse.profile") == [
        ("a@example.com", "Ann", Decimal("3.5"))
    ]
    assert names.rows("select goal, count(*) from warehouse.imported_file group by goal order by 1") == [
        ("customers", 1), ("totals", 1)
    ]  # fmt: skip


def test_three_hundred_small_files(tmp_path: Path) -> None:
    """Three hundred files land in one run, in order: the last value counts, and each amount is added once."""
    mapping = [{"field": "Name", "property": "first_name"}, *SUM]
    importer = Importer(tmp_path, goal(map=mapping))
    rows = [f"all@example.com,N{number},0.01\np{number}@example.com,P{number},1\n" for number in range(300)]
    files = {f"/{number:03}.csv": f"Email,Name,Total\n{row}" for number, row in enumerate(rows)}
    report = importer.deliver(files)
    check_adds_up(report)
    assert Counter(file.state for file in report.files) == {"imported": 300}
    assert (report.counters.rows_applied, report.counters.profiles_created) == (600, 301)
    assert importer.column("first_name")["all@example.com"] == "N299"
    assert importer.column("order_total")["all@example.com"] == Decimal(3)


def test_empty_files_and_archives_are_warned_of(tmp_path: Path) -> None:
    """An empty file, an archive without files and an empty member are named in a warning."""
    empty, folder = zipped({}), zipped({"folder/": ""})
    member = zipped({"a.csv": "", "b.csv": "Email,Name\nann@x,Ann\n"})
    files = {"/1.csv": "", "/2.zip": empty, "/3.zip": folder, "/4.zip": member}
    report = Importer(tmp_path).deliver(files)
    nothing = ("The file is empty: an archive that holds no file.",)
    warnings = [("The file is empty.",), nothing, nothing, ("Its member a.csv is empty.",)]
    assert [file.warnings for file in report.files] == warnings
    assert report.counters.rows_applied == 1
