"""The processors that compare rows with each other. They mark rows of a table as dropped, in place."""

from cdp_sync.model.processor import DropDuplicates, FirstRows, names_of
from cdp_sync.processing.relation import Relation
from cdp_sync.warehouse import Session


def keep_first_rows(session: Session, relation: Relation, settings: FirstRows, _place: int) -> None:
    """Keep the first rows, and drop the others."""
    last = f"select max(rowid) from (select rowid from {relation.source} where kept order by rowid limit $rows)"
    session.execute(
        f"update {relation.source} set kept = false where kept and rowid > ({last})", {"rows": settings.rows}
    )


def drop_duplicates(session: Session, relation: Relation, settings: DropDuplicates, _place: int) -> None:
    """Keep the first or the last of the rows that have the same cells."""
    compared = [relation.cells[name] for name in names_of(settings.field) or relation.cells]
    key = f"[{', '.join(f'coalesce({cell}, chr(0))' for cell in compared)}]"
    has_value = " or ".join(f"{cell} <> ''" for cell in compared)
    stays = "min" if settings.keep == "first" else "max"
    session.execute(
        f"""update {relation.source} as processed set kept = false
        from (
            select {key} as same_cells, {stays}(rowid) as stays
            from {relation.source}
            where kept and ({has_value})
            group by same_cells
            having count(*) > 1
        ) repeated
        where processed.kept and {key} = repeated.same_cells and processed.rowid <> repeated.stays"""
    )
