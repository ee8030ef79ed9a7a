"""Runs processors in order. What needs one row at a time is fused into one query; the others work on a table.

The rows keep their order and their number: a row that is dropped is marked, so that the line of every row is known.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from cdp_sync.model.processor import (
    AddDate,
    CleanPhone,
    DropDuplicates,
    Filter,
    FirstRows,
    Processor,
    Pseudonymize,
    Python,
    Settings,
)
from cdp_sync.processing.across_rows import drop_duplicates, keep_first_rows
from cdp_sync.processing.expressions import EXPRESSIONS, padded_keys, passes
from cdp_sync.processing.functions import call_function
from cdp_sync.processing.phones import clean_phones
from cdp_sync.processing.relation import Moment, Relation
from cdp_sync.warehouse import Session

Watch = Callable[[int, Processor, Relation], object]
"""Sees the rows after each processor, with the processor's place from 1."""

_ON_TABLES: Mapping[type[Settings], Callable[..., None]] = {
    CleanPhone: clean_phones,
    DropDuplicates: drop_duplicates,
    FirstRows: keep_first_rows,
    Python: call_function,
}
"""The processors that need a table: they change it in place, by row id."""


def process(
    session: Session,
    relation: Relation,
    processors: Sequence[Processor],
    moment: Moment,
    *,
    watch: Watch = lambda _place, _processor, _relation: None,
) -> Relation:
    """Return the rows as the processors leave them, in their order; those that were dropped are not `kept`.

    Where all processors are expressions nothing is run: they become part of the query. Otherwise the rows stand in a
    temporary table, which `drop_tables` removes.

    Raises:
        ProcessorFailed: A field does not exist that a processor names, or a Python function failed.
        SecretMissing: The key of pseudonyms is not set.
    """
    for place, processor in enumerate(processors, 1):
        settings = processor.settings
        relation.require(place, processor)
        if type(settings) in _ON_TABLES:
            relation = as_table(session, relation, added=settings.writes)
            _ON_TABLES[type(settings)](session, relation, settings, place)
        else:
            relation = express(relation, settings, moment)
        watch(place, processor, relation)
    return relation


def works_alone(processors: Iterable[Processor]) -> bool:
    """Return whether what processors make of a row follows from that row and not from other rows, functions or the day.

    The text of an added date depends on the day as well, but only a filter makes more of it.
    """
    every = [one.settings for one in processors]
    dated = any(isinstance(one, AddDate) for one in every) and any(isinstance(one, Filter) for one in every)
    return not dated and not any(isinstance(one, DropDuplicates | FirstRows | Python) for one in every)


def express(relation: Relation, settings: Settings, moment: Moment) -> Relation:
    """Return the rows after a processor that needs one row at a time. Pure."""
    if isinstance(settings, Filter):
        return relation.where_kept(passes(settings, relation.cells))
    if isinstance(settings, Pseudonymize):
        relation = replace(relation, values={**relation.values, **padded_keys(settings, moment)})
    for expressions in EXPRESSIONS[type(settings)]:
        written = expressions(settings, relation.cells, moment)
        steady: Mapping[str, str] = {}
        if isinstance(settings, AddDate):
            steady = {settings.field: "''"}
        elif relation.steady:
            without_date = expressions(settings, relation.compared, moment)
            steady = {name: sql for name, sql in without_date.items() if sql != written[name]}
        if written:
            relation = relation.with_cells(written, steady)
    return relation


def as_table(session: Session, relation: Relation, *, added: Sequence[str] = ()) -> Relation:
    """Write the rows to a temporary table in their order, with empty fields in addition, unless they are in one."""
    new = [name for name in added if name not in relation.cells]
    if relation.table and not new:
        return relation
    relation = relation.with_cells(dict.fromkeys(new, "null::varchar"))
    if relation.kept != "kept":
        relation = relation.where_kept(relation.kept)
    former = _tables(session)
    name = f"processed_{len(former) and int(former[-1].rpartition('_')[2]) + 1}"
    session.execute(f"create temp table {name} as select * from {relation.source}", relation.values)
    for table in former:
        session.execute(f"drop table {table}")
    return replace(relation, source=name, values={}, table=True)


def drop_tables(session: Session) -> None:
    """Remove the tables that processors worked on."""
    for table in _tables(session):
        session.execute(f"drop table {table}")


def _tables(session: Session) -> list[str]:
    query = """select table_name from duckdb_tables()
        where temporary and starts_with(table_name, 'processed_') order by 1"""
    return [name for (name,) in session.rows(query)]
