"""The revision of the profiles, and numbers without a sequence: both need one writer at a time."""

from collections.abc import Mapping

from cdp_sync.errors import WarehouseChanged
from cdp_sync.quoting import quote_identifier
from cdp_sync.warehouse.session import Session


def revision_of(session: Session) -> int:
    """Return the revision of the profiles; each import that lands raises it by one."""
    return int(session.value("select number from warehouse.revision"))


def begin_at(session: Session, revision: int) -> None:
    """Begin the transaction that lands what was worked out against a revision.

    Raises:
        WarehouseChanged: Another process has written since; worked out again, the rows can land.
    """
    session.begin()
    if (found := revision_of(session)) != revision:
        session.roll_back()
        raise WarehouseChanged(
            f"Another process wrote to the warehouse: its revision is {found}.",
            needed=f"The rows were linked against revision {revision}.",
            remedy="Run again; nothing of this run has landed.",
        )


def next_number(session: Session, table: str, names: Mapping[str, str]) -> int:
    """Return the number by which a table abbreviates these names, given by column; new ones get the next."""
    columns = ", ".join(map(quote_identifier, names))
    values = ", ".join(f"${name}" for name in names)
    named = f"from warehouse.{table} where ({columns}) = ({values})"
    session.execute(
        f"""insert into warehouse.{table} ({columns}, number)
        select {values}, (select coalesce(max(number), 0) + 1 from warehouse.{table})
        where not exists ({named})""",
        names,
    )
    return int(session.value(f"select number {named}", names))
