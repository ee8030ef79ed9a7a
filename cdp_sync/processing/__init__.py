"""Runs the processors of a goal on rows of text, before an import lands them and before an export writes them."""

from cdp_sync.processing.chain import drop_tables, process, works_alone
from cdp_sync.processing.relation import Moment, Relation

__all__ = ["Moment", "Relation", "drop_tables", "process", "works_alone"]
