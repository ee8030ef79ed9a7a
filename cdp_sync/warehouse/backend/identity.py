"""The identity of a warehouse, made with it, and the history of runs that it belongs to."""

from dataclasses import dataclass

from cdp_sync.warehouse.session import Session


@dataclass(frozen=True)
class Identity:
    """Which warehouse this is, and whose."""

    warehouse_id: str
    history_id: str = ""
    """Of the history of runs that it belongs to; empty where it belongs to none."""
    history_place: str = ""
    """Where that history lies, for people."""


def identity_of(session: Session) -> Identity:
    """Return the identity of the attached warehouse."""
    return Identity(
        *session.row(
            """select warehouse_id::text, coalesce(history_id::text, ''), coalesce(history_place, '')
            from warehouse.identity"""
        )
    )


def give_to(session: Session, history_id: str, place: str) -> None:
    """Note in the attached warehouse which history of runs it belongs to from now on."""
    session.execute(
        "update warehouse.identity set history_id = $history_id::uuid, history_place = $place",
        {"history_id": history_id, "place": place},
    )
