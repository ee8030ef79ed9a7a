"""The header of a file: its columns, where rows begin, and its problems."""

import time
from contextlib import suppress
from typing import Any

import pytest

from cdp_sync.errors import FileRejected
from cdp_sync.importing.reading.csv_header import check_columns, read_head, split_record
from cdp_sync.importing.staging.columns import detected_mappings
from cdp_sync.model import FileGoal, Format, Profiles

PROFILES = Profiles(properties=())


def goal(**fields: Any) -> FileGoal:
    """Return a goal that links Email and maps Name."""
    defaults = {
        "name": "customers",
        "link": [{"field": "Email", "property": "email"}],
        "map": [{"field": "Name", "property": "name"}],
    }
    return FileGoal.model_validate(defaults | fields)


@pytest.mark.parametrize(
    ("text", "form", "columns", "rest"),
    [
        ("a,b\n1,2\n", {}, ("a", "b"), "1,2\n"),
        (" a , b\n1,2", {}, ("a", "b"), "1,2"),
        ('"a,1","b ""x"""\n1,2', {}, ("a,1", 'b "x"'), "1,2"),
        ('"a\nb",c\n1,2', {}, ("a\nb", "c"), "1,2"),
        ("a;;b\n", {"separator": ";;"}, ("a", "b"), ""),
        ("a\tb\n1\t2", {"separator": "\\t"}, ("a", "b"), "1\t2"),
        ('"a",b\n', {"quote": ""}, ('"a"', "b"), ""),
        ("'a,b',c\n", {"quote": "'"}, ("a,b", "c"), ""),
        ("report\n\na,b\n1,2", {"skip_rows": 1}, ("a", "b"), "1,2"),
        ("\n\na,b\n1,2", {}, ("a", "b"), "1,2"),
        ("1,2,3\n4,5,6", {"header": False}, ("column1", "column2", "column3"), "1,2,3\n4,5,6"),
        ("x\n1,2\n", {"header": False, "skip_rows": 1}, ("column1", "column2"), "1,2\n"),
        ("a,b", {}, ("a", "b"), ""),
        ("a,,a\n", {}, ("a", "", "a"), ""),
    ],
)
def test_columns_and_first_row_are_found(text: str, form: dict[str, Any], columns: tuple[str, ...], rest: str) -> None:
    """Columns are the header's trimmed cells; the head counts the lines before the first row."""
    head = read_head(text, Format.model_validate(form))
    assert head is not None
    assert head.columns == columns
    assert "".join(text.splitlines(keepends=True)[head.lines :]) == rest


@pytest.mark.parametrize(
    ("text", "form"),
    [("", {}), ("\n\n\n", {}), ("a,b\n", {"skip_rows": 3}), ("", {"header": False}), ("x\n", {"skip_rows": 1})],
)
def test_a_file_without_text_has_no_header(text: str, form: dict[str, Any]) -> None:
    """A file with only blank lines after the skipped ones has no header."""
    assert read_head(text, Format.model_validate(form)) is None


def test_a_header_with_an_open_quote_is_refused() -> None:
    """A header with an open quote is refused."""
    with pytest.raises(FileRejected, match="The header cannot be read: a quote opens and does not close"):
        read_head('a,"b\n1,2\n', Format())


def test_a_record_ends_at_its_line_break() -> None:
    """A record is split into cells and ends after its line break."""
    record = split_record('a,"b\n""c""",\nnext', Format())
    assert (record.cells, record.end) == (("a", 'b\n"c"', ""), 13)


def check(header: str, **fields: Any) -> list[str]:
    """Return the warnings about a header."""
    made = goal(**fields)
    head = read_head(header, made.format)
    assert head is not None
    return check_columns(head, made, header)


def test_a_header_that_fits_has_no_warnings() -> None:
    """Additional columns and another order give no warning."""
    assert check("Other,Name,Email\n") == []


def test_a_missing_mapped_column_is_a_warning() -> None:
    """A missing mapped column gives a warning, and the file is imported."""
    assert check("Email\n") == ["Column 'Name' is not in the file."]


def test_one_of_several_links_is_enough() -> None:
    """A file with one of several linked columns can be linked."""
    links = [{"field": "Email", "property": "email"}, {"field": "Id", "property": "id"}]
    assert check("Id,Name\n", link=links) == ["Column 'Email' is not in the file."]


def test_a_file_without_any_linked_column_is_refused() -> None:
    """The message lists the columns found and those needed."""
    with pytest.raises(FileRejected) as refused:
        check("E-Mail,Name\n")
    message = str(refused.value)
    assert "found: 'E-Mail', 'Name'" in message
    assert "At least one of these is needed: 'Email'" in message
    assert "Correct the links" in message


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_wrong_separator_is_recognized(separator: str) -> None:
    """If another separator would find the linked column, the message names it."""
    with pytest.raises(FileRejected) as refused:
        check(separator.join(["Email", "Name"]) + "\n")
    assert f"declare `separator: {separator!r}`" in str(refused.value)


def test_a_repeated_column_is_refused() -> None:
    """A repeated linked or mapped column is refused; other columns may repeat."""
    assert check("Email,Name,x,x\n") == []
    with pytest.raises(FileRejected, match=r"names 'Name' more than once"):
        check("Email,Name,Name\n")
    with pytest.raises(FileRejected, match=r"names 'x' more than once"):
        check("Email,Name,x,x\n", map_detected={})


@pytest.mark.parametrize("personal", ["ada@example.com", "0612345678", "+31 6 12 34 56 78", "4111-1111"])
def test_a_name_like_personal_data_is_not_shown(personal: str) -> None:
    """Column names that look like an address or a long number are in no message."""
    with pytest.raises(FileRejected, match="more than once") as refused:
        check(f"Email,{personal},{personal},x,x\n", map_detected={})
    assert personal not in str(refused.value)
    assert "(a name like personal data), 'x' more" in str(refused.value)
    with pytest.raises(FileRejected, match="found: ") as refused:
        check(f"Name,{personal}\n")
    assert personal not in str(refused.value)


def test_column_names_are_case_sensitive() -> None:
    """Column names are case-sensitive."""
    with pytest.raises(FileRejected, match="No linked column"):
        check("email,Name\n")


@pytest.mark.parametrize(
    ("line", "shown"),
    [("Mail,Name,Number", "found: 'Mail', 'Name', 'Number'"), ("ada@example.com,Ada", "nothing in it is declared")],
)
def test_a_line_without_declared_columns_is_not_shown(line: str, shown: str) -> None:
    """A line without any declared column may be personal data and is in no message."""
    with pytest.raises(FileRejected) as refused:
        check(f"{line}\n")
    assert shown in str(refused.value)
    assert "Ada" not in str(refused.value)


@pytest.mark.parametrize("names", [[f"c{number}" for number in range(150_000)], ["same"] * 150_000])
def test_many_columns_are_checked_in_linear_time(names: list[str]) -> None:
    """Checking 150,000 columns takes less than two seconds of CPU time."""
    text = ",".join(["Email", *names]) + "\n"
    many, began = goal(map_detected={}), time.process_time()
    head = read_head(text, many.format)
    assert head is not None
    with suppress(FileRejected):
        check_columns(head, many, text)
    with suppress(FileRejected):
        detected_mappings(many, PROFILES, head.columns)
    assert time.process_time() - began < 2


def test_detected_columns_are_limited() -> None:
    """One detected column more than the limit is refused; linked and mapped columns do not count."""
    few = goal(map_detected={"max_columns": 2})
    assert len(detected_mappings(few, PROFILES, ("Email", "Name", "a", "b", ""))) == 2
    with pytest.raises(FileRejected) as refused:
        detected_mappings(few, PROFILES, ("Email", "Name", "a", "b", "c"))
    message = str(refused.value)
    assert "3 columns that nothing maps" in message
    assert "At most 2 are allowed, `max_columns`" in message
    assert "declare a larger number" in message
