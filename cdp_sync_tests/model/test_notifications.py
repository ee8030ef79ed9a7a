"""Declared notifications: valid settings and messages."""

import pytest
from pydantic import ValidationError

from cdp_sync.model import Notifications
from cdp_sync.model.reading import read_text

HEAD = """
type: cdp_sync.components.SftpConnection
attributes:
  name: shop
  server: {host: h, username: u, password_env: P, host_key: "SHA256:abc"}
  notifications:
"""


def problems_of(declared: str) -> list[str]:
    """Return the problems of these notifications."""
    return list(read_text(f"{HEAD}    {declared}\n").problems)


def test_mail_is_sent_on_failure_by_default() -> None:
    """Notifications need only addresses and are sent on failure by default."""
    made = Notifications(emails=("team@example.com",))
    assert made.on == "failure"
    assert (made.wanted(failed=True), made.wanted(failed=False)) == (True, False)
    every = Notifications(emails=("team@example.com",), on="every_run")
    assert (every.wanted(failed=True), every.wanted(failed=False)) == (True, True)


def test_the_key_on_needs_no_quotes() -> None:
    """The key `on` without quotes is accepted, although YAML 1.1 reads it as true."""
    assert problems_of("{emails: [team@example.com], on: every_run}") == []
    (problem,) = problems_of("{emails: [team@example.com], on: success}")
    assert problem.startswith("attributes.notifications.on: found 'success'")
    assert "allowed: failure, every_run" in problem


@pytest.mark.parametrize("declared", ["{emails: []}", "{on: failure}"])
def test_at_least_one_address_is_needed(declared: str) -> None:
    """Notifications without an address are refused."""
    (problem,) = problems_of(declared)
    assert problem.startswith("attributes.notifications.emails: ")


def test_each_invalid_address_has_its_place() -> None:
    """Invalid addresses and unknown keys are reported at once, each with its place."""
    problems = problems_of("{emails: [a@example.com, nobody, 'b@example.com, c@example.com'], om: failure}")
    assert [problem.partition(": ")[0] for problem in problems] == [
        "attributes.notifications.emails[1]",
        "attributes.notifications.emails[2]",
        "attributes.notifications.om",
    ]
    assert "found 'nobody'; this is not an e-mail address" in problems[0]
    assert "allowed: emails, on" in problems[2]


@pytest.mark.parametrize(
    "address",
    [
        "a@b@example.com",
        "a b@example.com",
        "a@example.com\n",
        "a@example.com\r\nBcc: eve@example.org",
        "Ann <ann@example.com>",
        "a@-example.com",
        "a@example..com",
        "@example.com",
        "a@",
        "ä@example.com",
        f"{'a' * 65}@example.com",
    ],
)
def test_invalid_addresses_are_refused(address: str) -> None:
    """A text that is not one address, or could become a mail header, is refused."""
    with pytest.raises(ValidationError, match="not an e-mail address"):
        Notifications(emails=(address,))


@pytest.mark.parametrize("address", ["a@b", "first.last+tag@mail.example.co.uk", "o'hara@example.com"])
def test_valid_addresses_are_accepted(address: str) -> None:
    """Addresses are accepted as in HTML's e-mail field."""
    assert Notifications(emails=(address,)).emails == (address,)
