"""Identifiers in SQL. Values are bound; names go through here."""


def quote_identifier(name: str) -> str:
    """Return the name in double quotes, fit for SQL whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return a declared constant in single quotes, for places where nothing can be bound. Never for data."""
    return "'" + text.replace("'", "''") + "'"
