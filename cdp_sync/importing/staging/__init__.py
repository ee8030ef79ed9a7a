"""The staged rows of a run: their tables, and the statements that fill them."""
