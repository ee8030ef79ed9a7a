"""Tests of the warehouse: opening, tables, history."""
