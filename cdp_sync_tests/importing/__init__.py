"""Tests of importing: the product against the oracle, case files, and what has to hold whatever the input."""
