"""Tests of the sandbox, in the layout of the package."""
