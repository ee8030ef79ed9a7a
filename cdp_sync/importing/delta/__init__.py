"""Which rows differ from the previous import of the same file."""
