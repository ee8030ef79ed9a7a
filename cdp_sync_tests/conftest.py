"""Fixtures that several packages share; what they take long to import is imported when they are used."""

from cdp_sync_tests.projects import project

__all__ = ["project"]
