"""A strict import takes files like the one that it learned, and hands back what it refuses."""

import io
import zipfile
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from pydantic import ValidationError

from cdp_sync.errors import DiskFull, FileRejected
from cdp_sync.importing.faults import name_of
from cdp_sync_tests.disks import Small, fill
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.importing.workbooks import xls, xlsx
from cdp_sync_tests.spotler.contacts import HEADER, PROFILES, RIGHT, Exchange, declared, exchange, importer
from cdp_sync_tests.trail.importer import check_adds_up


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> Exchange:
    """An importer that has learned a right file."""
    made = importer(tmp_path)
    made.learn(RIGHT)
    return made


def test_nothing_is_imported_before_a_file_is_learned(tmp_path: Path) -> None:
    """The error names the command that learns one."""
    report, _ = importer(tmp_path).hand_in({"contacts.csv": RIGHT})
    assert "No file was learned" in report.message
    assert "learn spotler FILE --goal contacts" in report.message


def test_a_file_like_the_learned_one_is_imported(shop: Exchange) -> None:
    """The order of columns does not matter; columns that nothing maps belong to the file as well."""
    report, faults = shop.hand_in({"contacts.csv": "Note;Total;Email;City;FirstName\r\nx;3;c@x.nl;Delft;Cem\r\n"})
    assert report.state == "success"
    assert (shop.column("city"), faults) == ({"c@x.nl": "Delft"}, {})


@pytest.mark.parametrize(
    ("name", "text", "differences"),
    [
        ("contacts.csv", "Email;FirstName;Total;Note\r\n", ["column 'City' is missing"]),
        ("contacts.csv", "Email;FirstName;City;Total;Note;Zip\r\n", ["one column is new: 'Zip'"]),
        (
            "contacts.csv",
            "Email;Name;Town;Total;Note\r\n",
            ["column 'FirstName' is missing", "column 'City' is missing", "2 columns are new: 'Name', 'Town'"],
        ),
        ("contacts.csv", HEADER.replace(";", ","), ["the separator is ','; learned is ';'"]),
        ("contacts.txt", HEADER, ["the type of the file is txt; learned is csv"]),
        ("contacts.csv", "ada@x.nl;Ada;Utrecht;1;\r\n", ["no column that was learned is in the header"]),
        ("contacts.csv", "Email;FirstName;City;Total;ada@x.nl\r\n", ["one column is new: (a name like personal data)"]),
        ("contacts.csv", "Email;FirstName;City;Total;Note;Note\r\n", ["column 'Note' is there more than once"]),
    ],
)
def test_a_file_that_differs_fails(name: str, text: str, differences: list[str], shop: Exchange) -> None:
    """Nothing of it lands, and each difference is named: column by column, the separator, the type."""
    report, faults = shop.hand_in({name: text + "a@x.nl;b;c;1;e;f\r\n"})
    assert (report.state, shop.column("city"), faults) == ("failed", {}, {})
    for difference in differences:
        assert difference in report.message


def test_a_new_file_can_be_learned(shop: Exchange) -> None:
    """Where the change is meant, the new file is learned in place of the former one."""
    changed = "Email;FirstName;City;Total;Zip\r\na@x.nl;Ada;Delft;1;2611\r\n"
    assert shop.hand_in({"contacts.csv": changed})[0].state == "failed"
    shop.learn(changed)
    assert shop.hand_in({"contacts.csv": changed})[0].state == "success"
    assert shop.hand_in({"contacts_2.csv": RIGHT})[0].state == "failed"


def test_an_empty_cell_is_refused_unless_learned(shop: Exchange) -> None:
    """Cells may be empty where the learned file has an empty one; elsewhere the row is refused, with the reason."""
    report, faults = shop.hand_in({"contacts.csv": HEADER + "a@x.nl;;Delft;1;\r\nb@x.nl;Bob;;1;\r\n"})
    assert (report.counters.rows_applied, report.counters.rows_rejected) == (1, 1)
    assert report.reasons == (("FirstName is empty, which is not allowed", 1),)
    assert faults == {"contacts.csv": f"{HEADER}a@x.nl;;Delft;1;\r\n".encode()}
    check_adds_up(report)


def test_a_column_can_be_named_whose_cells_may_be_empty(tmp_path: Path) -> None:
    """`--empty` adds to what the file shows."""
    made = importer(tmp_path)
    made.learn(RIGHT, empty=("FirstName",))
    report, _ = made.hand_in({"contacts.csv": HEADER + "a@x.nl;;Delft;1;\r\n"})
    assert report.counters.rows_rejected == 0


def test_a_former_row_is_not_refused_and_unchanged_at_once(shop: Exchange) -> None:
    """A row that was applied stays so when a file is learned that would refuse it: rows add up."""
    shop.learn(RIGHT, empty=("FirstName",))
    rows = HEADER + "a@x.nl;;Delft;1;\r\nb@x.nl;Bob;;1;\r\n"
    shop.hand_in({"contacts.csv": rows})
    shop.learn(RIGHT)
    report, faults = shop.hand_in({"contacts.csv": rows + "c@x.nl;;Delft;1;\r\n"})
    assert (report.counters.rows_unchanged, report.counters.rows_rejected) == (2, 1)
    assert faults["contacts.csv"].count(b"\r\n") == 2
    check_adds_up(report)


def test_of_several_rows_of_one_address_the_last_one_counts(shop: Exchange) -> None:
    """Also where case and blanks differ; the others are counted, and are no faults."""
    rows = "a@x.nl;Ada;Utrecht;1;\r\n A@X.nl ;Ann;;2;\r\nb@x.nl;Bob;Delft;3;\r\n"
    report, faults = shop.hand_in({"contacts.csv": HEADER + rows})
    assert (report.counters.rows_filtered, report.counters.rows_applied, faults) == (1, 2, {})
    assert shop.column("first_name") == {"a@x.nl": "Ann", "b@x.nl": "Bob"}
    assert shop.column("city") == {"a@x.nl": None, "b@x.nl": "Delft"}


def test_a_static_list_is_a_membership_of_its_own(tmp_path: Path) -> None:
    """Contacts are put on the list, and keep the lists that they are on."""
    for number, name in enumerate(("Spring fair", "Autumn fair")):
        made = importer(tmp_path, destination={"list": name})
        made.runs = number
        made.learn(RIGHT)
        made.hand_in({f"contacts_{number}.csv": RIGHT})
    assert made.column("static_lists")["a@x.nl"] == ["Spring fair", "Autumn fair"]


def test_the_suppression_list_marks_contacts(tmp_path: Path) -> None:
    """An existing contact is marked as suppressed, and so is a new one: a later import does not activate it."""
    made = importer(tmp_path)
    made.learn(RIGHT)
    made.hand_in({"contacts.csv": RIGHT})
    suppression = importer(tmp_path, name="suppress", destination="suppression", map=[])
    suppression.runs = 1
    suppression.learn("Email\r\nx@x.nl\r\n")
    suppression.hand_in({"contacts_off.csv": "Email\r\na@x.nl\r\nz@x.nl\r\n"})
    assert suppression.column("suppressed") == {"a@x.nl": True, "b@x.nl": None, "z@x.nl": True}


@pytest.mark.parametrize("form", [{"json_lists": True}, {"multi_value": "|"}])
def test_the_name_of_a_list_is_one_value(form: dict[str, object], tmp_path: Path) -> None:
    """Whatever the format says of cells with lists."""
    made = importer(tmp_path, format={"separator": ";", **form}, destination={"list": "Fairs, spring"})
    made.learn(RIGHT)
    made.hand_in({"contacts.csv": RIGHT})
    assert made.column("static_lists")["a@x.nl"] == ["Fairs, spring"]


def test_the_suppression_list_needs_no_word_for_true(tmp_path: Path) -> None:
    """Contacts are suppressed also where the format has words of its own for true and false."""
    form = {"separator": ";", "booleans": {"true": ["ja"], "false": ["nee"]}}
    made = importer(tmp_path, format=form, destination="suppression")
    made.learn(RIGHT)
    made.hand_in({"contacts.csv": RIGHT})
    assert made.column("suppressed") == {"a@x.nl": True, "b@x.nl": True}


def zipped(name: str, text: str) -> bytes:
    """Return a zip archive of one file."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(name, text)
    return target.getvalue()


def test_a_zip_archive_is_imported_where_it_is_declared(tmp_path: Path) -> None:
    """With `zip: true` all files are archives; without it none is."""
    packed, plain = importer(tmp_path / "zip", zip=True), importer(tmp_path / "plain")
    content = zipped("contacts.csv", RIGHT)
    packed.learn(content, "contacts.zip")
    plain.learn(RIGHT)
    assert packed.hand_in({"contacts.zip": content})[0].counters.rows_applied == 2
    assert "The file is no zip archive" in packed.hand_in({"contacts.csv": RIGHT})[0].message
    assert "The file is a zip archive" in plain.hand_in({"contacts.zip": content})[0].message


def test_a_large_file_is_refused_unless_declared(tmp_path: Path) -> None:
    """A file has 20 MB at most unless `max_megabytes` says otherwise."""
    made = importer(tmp_path, max_megabytes=1)
    made.learn(RIGHT)
    report, _ = made.hand_in({"contacts.csv": RIGHT + f"c@x.nl;Cem;;1;{'x' * 1_000_000}\r\n"})
    assert "At most 1 MB are allowed" in report.message


SHAPES = {
    "csv": ({"separator": ";", "decimal": ","}, "contacts.csv"),
    "txt": ({"separator": "\t", "encoding": "windows-1252", "skip_rows": 1}, "contacts.txt"),
    "xlsx": ({"type": "xlsx"}, "contacts.xlsx"),
    "xls": ({"type": "xls", "decimal": ","}, "contacts.xls"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_corrected_faults_file_is_imported(shape: str, tmp_path: Path) -> None:
    """Refused rows have the columns, the separator and the encoding of the import; corrected, they all land.

    Of generated rows it is known which are refused: those without an address or a name, and with a wrong amount.
    """
    form, name = SHAPES[shape]
    random, mark = Random(SEED), form.get("decimal", ".")
    rows, wrong = [], set()
    for n in range(60):
        row = [f"p{n}@x.nl", f"Zoë {n}", random.choice(["Delft", "", 'A "b"', "x;y\tz"]), f"{n}{mark}5", "note"]
        fault = random.choice([None, None, 0, 1, 3])
        if fault is not None:
            row[fault] = {0: "", 1: "", 3: "many"}[fault]
            wrong.add(n)
        rows.append(row)
    header = HEADER.strip().split(";")
    made = importer(tmp_path, format=form)
    right = [header, ["r@x.nl", "Rob", "", f"1{mark}5", ""]]
    write = _writer(shape, form)
    made.learn(write(right), name)
    report, faults = made.hand_in({name: write([header, *rows])})
    check_adds_up(report)
    text = faults[name].decode(form.get("encoding", "utf-8"))
    assert text.count("\r\n") == len(wrong) + 1 + form.get("skip_rows", 0)
    assert set(made.column("first_name")) == {f"p{n}@x.nl" for n in range(60) if n not in wrong or rows[n][3] == "many"}
    separator = form.get("separator", ",")
    corrected = _corrected(text.splitlines(), separator, mark)
    again, rest = made.hand_in({f"{name}.faults.csv": corrected.encode(form.get("encoding", "utf-8"))})
    assert (again.state, again.counters.rows_applied, rest) == ("success", len(wrong), {})
    assert made.column("first_name") == {f"p{n}@x.nl": f"Zoë {n}" for n in range(60)}
    assert made.column("city") == {f"p{n}@x.nl": rows[n][2] or None for n in range(60)}
    assert made.column("total") == {f"p{n}@x.nl": Decimal(f"{n}.5") for n in range(60)}


def _writer(shape: str, form: dict) -> object:  # type: ignore[type-arg]
    if shape in ("xlsx", "xls"):
        return xlsx if shape == "xlsx" else xls
    separator = form["separator"]

    def write(rows: list[list[str]]) -> bytes:
        lines = [""] * form.get("skip_rows", 0)
        lines += [separator.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows]
        return "".join(f"{line}\r\n" for line in lines).encode(form.get("encoding", "utf-8"))

    return write


def _corrected(lines: list[str], separator: str, mark: str) -> str:
    """Put an address, a name and an amount where they lack: the number of a row stands in one of its other cells."""
    fixed = []
    for line in lines:
        cells = line.split(separator)
        number = next((part for cell in cells[:2] for part in [cell.replace("p", "").replace("Zoë ", "").split("@")[0]]
                       if part.isdecimal()), None)  # fmt: skip
        if number is None:
            fixed.append(line)
            continue
        rest = separator.join(cells[2:]).replace("many", f'"{number}{mark}5"')
        fixed.append(separator.join([f"p{number}@x.nl", f"Zoë {number}", rest]))
    return "".join(f"{line}\r\n" for line in fixed)


@pytest.mark.parametrize(
    "row",
    [
        b"a@x.nl;Ada;Delft;1;" + b"x" * 9_990 + b";surplus",
        b"a@x.nl;" + b"x" * 2_100_000 + b";Delft;1;",
        b"a@x.nl;A\xffda;Delft;1;",
    ],
    ids=["a long one", "one that is too long", "one in another encoding"],
)
def test_a_malformed_line_does_not_land_uncorrected(row: bytes, shop: Exchange) -> None:
    """A line that is no row is refused again, as long as nobody has corrected it."""
    _, faults = shop.hand_in({"contacts.csv": HEADER.encode() + row + b"\r\n"})
    report, again = shop.hand_in({"contacts.csv.faults.csv": faults["contacts.csv"]})
    assert (report.counters.rows_read, report.counters.rows_rejected, len(again)) == (1, 1, 1)
    kept = [raw for (raw,) in shop.rows("select raw from warehouse.quarantine")]
    assert all(len(raw) <= 10_000 and "\ufdd3" not in raw for raw in kept)


def test_without_room_for_refused_rows_nothing_lands(shop: Exchange, small: Small) -> None:
    """Rows that could not be handed back are not refused: the whole import waits for room."""
    rows = {"contacts.csv": HEADER + "c@x.nl;Cem;Delft;1;\r\nd@x.nl;;Delft;1;\r\n"}
    disk = small(1)
    fill(disk)
    with pytest.raises(DiskFull, match="refused rows cannot be written"):
        shop.hand_in(rows, disk)
    assert shop.column("city") == {}
    (disk / "filling").unlink()
    report, faults = shop.hand_in(rows, disk)
    assert (report.counters.rows_applied, report.counters.rows_rejected) == (1, 1)
    assert faults == {"contacts.csv": (HEADER + "d@x.nl;;Delft;1;\r\n").encode()}


def test_a_long_name_of_a_file_loses_no_refused_rows(shop: Exchange) -> None:
    """The name of a faults file has at most as many bytes as a name may have; two that begin alike differ."""
    names = [f"contacts_{'ä' * 110}{last}.csv" for last in "ab"]
    _, faults = shop.hand_in(dict.fromkeys(names, HEADER + "d@x.nl;;Delft;1;\r\n"))
    assert list(faults) == names
    placed = {name_of(f"/import/{name}", "0123456789") for name in names}
    assert len(placed) == 2
    assert all(len(name.encode()) < 255 - len(".part") and name.endswith(".faults.csv") for name in placed)


def test_a_malformed_line_is_among_the_faults(shop: Exchange) -> None:
    """A line with too many fields is handed back as it is."""
    report, faults = shop.hand_in({"contacts.csv": RIGHT + "c@x.nl;Cem;Delft;1;;surplus\r\n"})
    assert report.counters.rows_rejected == 1
    assert faults["contacts.csv"] == f"{HEADER}c@x.nl;Cem;Delft;1;;surplus\r\n".encode()


def test_faults_have_the_columns_of_a_file_with_malformed_lines(shop: Exchange) -> None:
    """A malformed line stays as it is, so all rows have their columns in the order of its file."""
    header = "Note;Total;Email;City;FirstName\r\n"
    report, faults = shop.hand_in({"contacts.csv": header + "x;1;c@x.nl;;\r\ny;2;d@x.nl;Delft\r\n"})
    assert report.counters.rows_rejected == 2
    assert faults["contacts.csv"] == f"{header}x;1;c@x.nl;;\r\ny;2;d@x.nl;Delft\r\n".encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The file is empty"),
        ("Email;;City\r\n", "Not every column has a name of its own"),
        (HEADER.replace(";", ","), "The separator ',' fits"),
    ],
)
def test_a_file_that_cannot_be_learned_says_why(text: str, words: str, tmp_path: Path) -> None:
    """An empty file, a header with gaps, and another separator are refused, and nothing is learned."""
    with pytest.raises(FileRejected, match=words):
        importer(tmp_path).learn(text)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"processors": [{"filter": {"field": "City", "keep": "x"}}]}, "a strict import drops no rows"),
        ({"format": {"header": False}}, "with a header"),
        ({"destination": {"list": "a|b"}, "format": {"multi_value": "|"}}, "the list's name holds '|'"),
        ({"max_megabytes": 0}, "greater than or equal to 1"),
        ({"map": [{"field": "Total", "property": "total", "mode": "sum"}]}, r"map\[0\]\.mode: found sum"),
        ({"events": [{"type": "visit", "time": "At"}]}, r"events\[0\]\.id: .* needed is an id"),
    ],
)
def test_what_a_strict_import_cannot_have_is_refused(attributes: dict[str, object], words: str) -> None:
    """Processors that drop rows, files without a header, and what a corrected row would do twice, are errors."""
    with pytest.raises(ValidationError, match=words):
        exchange(declared(**attributes))


@pytest.mark.parametrize("directory", ["/import/", "/import", "/faults/../import", "/./import"])
def test_faults_do_not_go_where_files_are_read(directory: str) -> None:
    """Faults files in the directory of a goal would be imported before they are corrected."""
    with pytest.raises(ValidationError, match="needed is another directory"):
        exchange(declared(), report={"emails": ["a@x.nl"], "faults_directory": directory})


@pytest.mark.parametrize("directory", ["", "/", ".", "faults/.."])
def test_faults_have_a_directory_of_their_own(directory: str) -> None:
    """They do not go where the account's other files are."""
    with pytest.raises(ValidationError, match="needed is a directory for faults files alone"):
        exchange(declared(), report={"emails": ["a@x.nl"], "faults_directory": directory})


def test_the_properties_of_a_destination_are_checked() -> None:
    """A static list needs a list of texts, the suppression list a truth value, and every import an address."""
    goals = exchange(
        declared(destination={"list": "A"}, list_property="city"),
        declared(name="off", destination="suppression", suppressed_property="gone"),
        declared(name="no_address", link=[{"field": "City", "property": "city"}]),
    ).import_profiles
    problems = [" ".join(goal.problems(PROFILES)) for goal in goals]
    assert "list_property: city is declared otherwise" in problems[0]
    assert "suppressed_property: 'gone' is unknown" in problems[1]
    assert "link: no field names an e-mail property" in problems[2]
