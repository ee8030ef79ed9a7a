"""Tests of the sandbox of Iterable's API."""
