"""SQLAlchemy statements compiled for DuckDB: quoted names, bound values, no rendered literals."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, cast, column, func, literal_column, null, select, table
from sqlalchemy.exc import CompileError

from cdp_sync.segments.statements import SqlType, shown, step
from cdp_sync.warehouse import Session, Step, Warehouse

VALUE = 'it\'s 100% $1 :x \\ "q"'


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session without a warehouse."""
    with Warehouse(tmp_path / "warehouse.duckdb").open("none") as opened:
        yield opened


def test_values_are_bound_by_name() -> None:
    """Values are bound by name and do not appear in the text of the step."""
    made = step("big", select(column("total")).where(column("total") > 40).limit(3))
    assert made == Step("big", 'SELECT "total" \nWHERE "total" > $total_1 \n LIMIT $param_1', made.values)
    assert made.values == {"total_1": 40, "param_1": 3}


@pytest.mark.parametrize("value", [VALUE, 1, None, True, ["a", VALUE], 1.5])
def test_a_bound_value_arrives_unchanged(value: object, session: Session) -> None:
    """A bound value arrives unchanged, whatever its characters; a list is one value."""
    made = step("it", select(bindparam("it", value, type_=SqlType("VARCHAR"))))
    assert session.value(made.sql, made.values) == value


def test_all_names_are_quoted(session: Session) -> None:
    """Names with keywords, punctuation or capitals are quoted, also next to parameters with the same name."""
    name = '9 Orders: "50%" $x é'
    inner = select(literal_column("1").label("select"), literal_column("2").label(name)).subquery("from")
    made = step("it", select(inner.c["select"], inner.c[name]).where(inner.c[name] == 2, inner.c["select"] == 1))
    assert session.records(made.sql, made.values) == [{"select": 1, name: 2}]


def test_similar_names_have_different_parameters(session: Session) -> None:
    """Names that differ only in case or punctuation get different parameters."""
    names = ["a b", "a.b", "A_b", "a_b", "a_b_1", "A B"]
    made = step("it", select(*(bindparam(name, number) for number, name in enumerate(names))))
    assert session.row(made.sql, made.values) == tuple(range(len(names)))


def test_tables_of_a_catalog_are_read(session: Session) -> None:
    """Tables in a catalog, lambdas and DuckDB types compile."""
    session.execute("attach ':memory:' as warehouse; create table warehouse.profile as select [1, 2] as codes")
    profile = table("profile", column("codes"), schema="warehouse").alias("profile")
    made = step("it", select(func.len(profile.c.codes), cast(null(), SqlType("DECIMAL(18,4)[]"))))
    assert session.rows(made.sql, made.values) == [(2, None)]


def test_a_list_in_in_is_refused_with_a_remedy() -> None:
    """A list in `in_` is refused with a remedy, since DuckDB cannot bind it."""
    with pytest.raises(CompileError, match="needed is one value that holds it"):
        step("it", select(column("a")).where(column("a").in_([1, 2])))


@pytest.mark.parametrize("value", [VALUE, "", 1, None, True, ["a", VALUE, "x"], [], 1.5, "a\x1b[31m\n\t\u202eb"])
def test_a_shown_statement_can_be_run(value: object, session: Session) -> None:
    """The shown statement has its values as literals, without control characters."""
    made = shown(step("it", select(bindparam("it", value, type_=SqlType("VARCHAR")))))
    assert made.isprintable()
    assert session.value(made) == value
    assert shown(Step("it", "select 1")) == "select 1;"
