"""Tests of importing: the oracle, case files, and invariants on any input."""
