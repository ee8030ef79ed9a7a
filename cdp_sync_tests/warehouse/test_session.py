"""What runs in a session: quoting, steps, and errors that name the step but no data."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.errors import WarehouseUnusable
from cdp_sync.warehouse import Session, Step, Warehouse, quote_identifier, quote_literal

NASTY = ['a"b', '""', "a'b", "select", "a.b", "a b", "ä", "a--b", "a;drop table x", "$a", "?", "a\nb", "\\", "Ünder_Ⅷ"]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session without a warehouse."""
    with Warehouse(tmp_path_factory.mktemp("session") / "warehouse.duckdb").open("none") as opened:
        yield opened


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers_are_names_like_any_other(name: str, session: Session) -> None:
    """Quoted, whatever is in a name stays in the name."""
    (record,) = session.records(f"select 1 as {quote_identifier(name)}")
    assert record == {name: 1}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
def test_any_text_survives_as_a_literal(session: Session, text: str) -> None:
    """Quoted, a declared constant is what it was."""
    assert session.value(f"select {quote_literal(text)}") == text


def test_values_are_bound_by_name_or_by_place(session: Session) -> None:
    """Both ways hand values over untouched."""
    assert session.value("select $a || $b", {"a": "it's", "b": '"'}) == "it's\""
    assert session.rows("select ?, ?", ["a", 1]) == [("a", 1)]


def test_steps_run_in_order(session: Session) -> None:
    """A plan is a list of statements; later ones see what earlier ones made."""
    session.run([Step("one", "create or replace temp table one as select $x as x", {"x": 7}), Step("two", "from one")])
    assert session.value("select x from one") == 7


def test_a_step_prints_as_a_person_would_write_it() -> None:
    """A plan can be read: name and statement."""
    assert str(Step("one", "select 1")) == "-- one\nselect 1;"


def test_a_step_reads_the_intermediate_tables_of_its_statement() -> None:
    """Named after from, join, update and into; not those of the warehouse, functions, expressions and texts."""
    sql = """insert into staging.one  -- from comment
        with mine as (select x from staging.two, unnest([1]) where x is distinct from y and z = 'it''s from text')
        from mine join three using (x) anti join warehouse.profile using (x) asof left join read_csv('four') on true"""
    assert Step("staging.one", sql).reads == {"staging.one", "staging.two", "three"}
    assert Step("staging.one", "update staging.one set x = 1 where y in (from five)").reads == {"staging.one", "five"}


def test_a_failing_step_is_named_with_its_statement(session: Session) -> None:
    """An error in a plan says which step failed and shows its SQL."""
    with pytest.raises(WarehouseUnusable) as failed:
        session.run([Step("fine", "select 1"), Step("linked", "select nothing_of_that_name")])
    message = str(failed.value)
    assert message.startswith("Step linked failed:")
    assert "nothing_of_that_name" in message
    assert "-- linked\nselect nothing_of_that_name;" in message


@pytest.mark.parametrize(
    "sql",
    [
        "select cast($value as integer)",
        "select $value::date",
        "select ('9' || $value)::decimal(4, 2)",
        "select strptime($value, '%Y')",
        "select error('bad: ' || $value)",
    ],
)
def test_an_error_shows_no_data(sql: str, session: Session) -> None:
    """What DuckDB quotes from a cell never reaches a message."""
    with pytest.raises(WarehouseUnusable) as failed:
        session.run([Step("converted", sql, {"value": "ada@example.com"})])
    assert "converted" in str(failed.value)
    assert "ada@example.com" not in str(failed.value)


def test_an_error_of_one_statement_shows_it(session: Session) -> None:
    """Outside of plans, too, an error shows the statement that failed."""
    with pytest.raises(WarehouseUnusable) as failed:
        session.execute("selec 1")
    assert failed.value.needed == "selec 1"


def test_the_warehouse_folder_is_not_littered(tmp_path: Path) -> None:
    """A session that did nothing leaves no files."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("none") as opened:
        opened.execute("create temp table a as select 1")
    assert list(tmp_path.iterdir()) == []
