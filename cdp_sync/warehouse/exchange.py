"""Data exchange: how many profiles a connection has ever imported and exported, each counted once."""

from typing import Literal

from cdp_sync.warehouse.backend import next_number
from cdp_sync.warehouse.session import Session, statement

Direction = Literal["import", "export"]


def number_of(session: Session, connection: str) -> int:
    """Return the number by which profiles name the connection that created them; a new one gets the next."""
    return next_number(session, "connection_number", {"connection": connection})


def add_exchanged(session: Session, connection: str, direction: Direction, profiles: int) -> None:
    """Add the profiles that a connection exchanges for the first time, in the transaction that writes them."""
    named = {"connection": connection, "direction": direction}
    session.execute(statement("warehouse/sql/exchange/first_count"), named)
    session.execute(statement("warehouse/sql/exchange/more"), {**named, "profiles": profiles})


def ever_exchanged(session: Session, connection: str, direction: Direction) -> int:
    """Return how many profiles a connection has ever imported or exported."""
    query = """
        select coalesce(sum(profiles), 0)::bigint
        from warehouse.data_exchange
        where connection = ? and direction = ?"""
    return int(session.value(query, [connection, direction]))


def data_exchange(session: Session, connection: str | None = None) -> list[dict[str, object]]:
    """Return how many profiles each connection, or one, has ever imported and exported."""
    query = """
        select
            connection,
            coalesce(sum(profiles) filter (direction = 'import'), 0)::bigint as profiles_ever_imported,
            coalesce(sum(profiles) filter (direction = 'export'), 0)::bigint as profiles_ever_exported
        from warehouse.data_exchange
        where $connection is null or connection = $connection
        group by connection
        order by connection"""
    return session.records(query, {"connection": connection})
