"""Tests of declared connections that Dagster runs."""
