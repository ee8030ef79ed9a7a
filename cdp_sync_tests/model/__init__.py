"""Declared values and reports."""
