"""Declared connections as Dagster runs them."""
