"""Python processors: what functions get, what they may return, and how failures are reported."""

import threading
from typing import Any

import pytest

from cdp_sync.errors import ProcessorFailed
from cdp_sync.processing import functions as calling
from cdp_sync_tests.processing import functions
from cdp_sync_tests.processing.rows import run

HERE = "cdp_sync_tests.processing.functions"


def python(name: str, **options: Any) -> dict[str, Any]:
    """Return a declared processor."""
    return {"python": {"function": f"{HERE}:{name}", **options}}


def test_columns_change_and_empty_cells_stay_empty() -> None:
    """A function's changes land; a missing cell is still an empty one."""
    rows = [["A", "B"], [None, "C"], ["", None]]
    done = run("ab", rows, {"python": f"{HERE}:lower"})
    assert (done.rows, done.kept) == ([("a", "b"), (None, "c"), ("", None)], [True] * 3)


def test_rows_are_dropped_and_columns_added() -> None:
    """A row whose name is not returned is dropped; a declared column is added, empty in dropped rows."""
    done = run("a", [["ab"], ["x"], [None]], python("drop_x", adds=["size"]))
    assert (done.fields, done.kept) == (("a", "size"), [True, False, True])
    assert done.left == [("ab", "2"), (None, "0")]


def test_rows_keep_their_places() -> None:
    """Whatever order a function returns rows in, each change lands in its own row, and the order stays."""
    done = run("ab", [["a", "1"], ["b", "2"], ["c", "3"]], python("in_reverse"))
    assert done.rows == [("a", "1"), ("changed", "2"), ("c", "3")]


def test_dropped_rows_are_not_shown_to_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function gets the rows that are left, in pieces of a limited size."""
    monkeypatch.setattr(calling, "PIECE", 2)
    functions.PIECES.clear()
    rows = [["a"], ["b"], ["b"], ["c"], ["d"], ["e"], ["f"]]
    done = run("a", rows, {"filter": {"field": "a", "drop": "b"}}, python("count"))
    assert (functions.PIECES, len(done.left)) == ([2, 2, 1], 5)


def test_some_columns_only() -> None:
    """With `fields`, a function gets those columns; the others stay as they are."""
    done = run("ab", [["A", "B"]], python("lower", fields=["a"]))
    assert done.rows == [("a", "B")]


def test_what_a_function_prints_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is that of the command, such as its JSON."""
    run("a", [["x"]], python("prints"))
    assert capsys.readouterr() == ("", "1 rows\n")


def test_everything_may_be_dropped() -> None:
    """A function that drops every row is no failure."""
    assert run("a", [["a"], ["b"]], python("drop_all")).left == []


def test_no_rows_no_call() -> None:
    """Without rows, a function is not called."""
    assert run("a", [], python("raise_with_a_value")).rows == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raise_with_a_value", "raised ValueError on line "),
        ("renumber", "returned 2 with an index that it did not get"),
        ("double", "returned a row more than once"),
        ("number", "returned integer in 'a'"),
        ("add_undeclared", "added 'b'"),
        ("nothing", "returned NoneType"),
        ("leave", "raised SystemExit"),
        ("hang", "did not end within 0.1 s"),
    ],
)
def test_a_failure_names_function_and_rows(name: str, words: str) -> None:
    """The error names the place, the function and the rows that it got, and shows no value."""
    with pytest.raises(ProcessorFailed) as failed:
        run("a", [["secret"], ["b"]], {"add_value": {"field": "c", "value": "1"}}, python(name, deadline_seconds=0.1))
    message = str(failed.value)
    assert f"Processor 2 (python: {HERE}:{name}) {words}" in message
    assert ", of rows 1 to 2." in message
    assert "secret" not in message
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__ or failed.value.__context__ is None


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("no_such_module_here:f", "cannot be imported: ModuleNotFoundError"),
        (f"{HERE}:missing", "cannot be imported: AttributeError"),
        (f"{HERE}:NO_FUNCTION", "is no function"),
    ],
)
def test_a_function_that_is_not_there(function: str, words: str) -> None:
    """A module or function that is not found is named."""
    with pytest.raises(ProcessorFailed, match=words):
        run("a", [["b"]], {"python": function})


def test_a_module_whose_import_does_not_end() -> None:
    """The deadline holds for the import of the module as well."""
    function = {"function": "cdp_sync_tests.processing.hanging:f", "deadline_seconds": 0.2}
    with pytest.raises(ProcessorFailed, match="cannot be imported: it does not end"):
        run("a", [["b"]], {"python": function})


def test_a_function_that_hangs_leaves_no_thread() -> None:
    """After the deadline the function is ended, in whatever loop it is."""
    with pytest.raises(ProcessorFailed, match="did not end within"):
        run("a", [["b"]], python("hang", deadline_seconds=0.1))
    assert [thread.name for thread in threading.enumerate() if thread.name == "processor"] == []
