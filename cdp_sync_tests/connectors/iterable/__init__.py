"""Tests of the connector for Iterable."""
