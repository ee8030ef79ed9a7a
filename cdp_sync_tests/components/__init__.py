"""Tests of defs.yaml: its syntax and its values."""
