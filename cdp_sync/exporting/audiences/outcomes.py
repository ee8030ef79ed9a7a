"""Reads the outcomes of what was sent to a platform, which delivering has written down."""

from pathlib import Path

from cdp_sync.warehouse import Session, statement


def read_outcomes(session: Session, path: Path) -> None:
    """Make `outcome` of the file beside the one with what was sent; it is empty where nothing was."""
    outcomes = path.with_suffix(".csv")
    outcomes.touch()
    session.execute(statement("exporting/audiences/outcome"), {"path": str(outcomes)})
