"""The sandbox of Iterable's API."""
