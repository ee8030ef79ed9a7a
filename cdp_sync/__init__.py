"""Keeps customer profiles in step with the outside world."""

__version__ = "0.1.0"
