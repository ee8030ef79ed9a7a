"""Fixtures of the tests that run the exchange: a project with a mail server, and an instance."""

from cdp_sync_tests.orchestration.conftest import instance, no_pauses
from cdp_sync_tests.orchestration.mail_project import mail_project

__all__ = ["instance", "mail_project", "no_pauses"]
