"""Tests of a warehouse in DuckLake, on a PostgreSQL of their own."""
