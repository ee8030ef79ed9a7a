"""Tests of the connectors, in the layout of the package."""
