"""Speaking with Iterable."""
