"""The DuckDB file: opening, tables, history."""
