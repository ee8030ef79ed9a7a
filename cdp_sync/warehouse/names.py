"""Identifiers in SQL, as the statements of the warehouse name them."""

from cdp_sync.quoting import quote_identifier, quote_literal

__all__ = ["quote_identifier", "quote_literal"]
