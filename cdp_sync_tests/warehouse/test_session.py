"""Execution in a session: quoting, steps, and errors that name the step without data."""

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
def test_identifiers_may_have_any_character(name: str, session: Session) -> None:
    """Quoted identifiers may contain any character."""
    (record,) = session.records(f"select 1 as {quote_identifier(name)}")
    assert record == {name: 1}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
def test_any_text_can_be_a_literal(session: Session, text: str) -> None:
    """A quoted literal has the original text."""
    assert session.value(f"select {quote_literal(text)}") == text


def test_values_are_bound_by_name_or_by_place(session: Session) -> None:
    """Values are bound by name or by position."""
    assert session.value("select $a || $b", {"a": "it's", "b": '"'}) == "it's\""
    assert session.rows("select ?, ?", ["a", 1]) == [("a", 1)]


def test_steps_run_in_order(session: Session) -> None:
    """The steps of a plan run in order."""
    session.run([Step("one", "create or replace temp table one as select $x as x", {"x": 7}), Step("two", "from one")])
    assert session.value("select x from one") == 7


def test_a_step_prints_its_name_and_statement() -> None:
    """A step prints its name and statement."""
    assert str(Step("one", "select 1")) == "-- one\nselect 1;"


def test_a_step_reads_the_intermediate_tables_of_its_statement() -> None:
    """A step reads the tables after from, join, update and into, except for those of the warehouse."""
    sql = """insert into staging.one  -- from comment
        with mine as (select x from staging.two, unnest([1]) where x is distinct from y and z = 'it''s from text')
        from mine join three using (x) anti join warehouse.profile using (x) asof left join read_csv('four') on true"""
    assert Step("staging.one", sql).reads == {"staging.one", "staging.two", "three"}
    assert Step("staging.one", "update staging.one set x = 1 where y in (from five)").reads == {"staging.one", "five"}


def test_a_failing_step_is_named_with_its_statement(session: Session) -> None:
    """The error of a failing step has its name and SQL."""
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
def test_an_error_has_no_data(sql: str, session: Session) -> None:
    """An error does not contain cells that DuckDB quotes."""
    with pytest.raises(WarehouseUnusable) as failed:
        session.run([Step("converted", sql, {"value": "ada@example.com"})])
    assert "converted" in str(failed.value)
    assert "ada@example.com" not in str(failed.value)


def test_an_error_of_a_statement_has_its_sql(session: Session) -> None:
    """The error of a single statement has its SQL."""
    with pytest.raises(WarehouseUnusable) as failed:
        session.execute("selec 1")
    assert failed.value.needed == "selec 1"


def test_an_empty_session_leaves_no_files(tmp_path: Path) -> None:
    """A session without statements leaves no files."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("none") as opened:
        opened.execute("create temp table a as select 1")
    assert list(tmp_path.iterdir()) == []
