"""Who gets mail: what may be declared, and the messages about problems."""

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
    """Return what is wrong with notifications that are declared so."""
    return list(read_text(f"{HEAD}    {declared}\n").problems)


def test_mail_is_about_failures_unless_declared_otherwise() -> None:
    """Addresses are enough."""
    made = Notifications(emails=("team@example.com",))
    assert made.on == "failure"
    assert (made.wanted(failed=True), made.wanted(failed=False)) == (True, False)
    every = Notifications(emails=("team@example.com",), on="every_run")
    assert (every.wanted(failed=True), every.wanted(failed=False)) == (True, True)


def test_the_key_on_may_stand_without_quotes() -> None:
    """YAML 1.1 reads the key `on` as "true"; what is meant is the word."""
    assert problems_of("{emails: [team@example.com], on: every_run}") == []
    (problem,) = problems_of("{emails: [team@example.com], on: success}")
    assert problem.startswith("attributes.notifications.on: found 'success'")
    assert "allowed: failure, every_run" in problem


@pytest.mark.parametrize("declared", ["{emails: []}", "{on: failure}"])
def test_there_is_at_least_one_address(declared: str) -> None:
    """Mail to nobody cannot be meant."""
    (problem,) = problems_of(declared)
    assert problem.startswith("attributes.notifications.emails: ")


def test_each_wrong_address_has_its_place() -> None:
    """All of them are reported at once, with an unknown key."""
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
def test_what_is_no_address_is_refused(address: str) -> None:
    """One address, nothing beside it, nothing that could become a header."""
    with pytest.raises(ValidationError, match="not an e-mail address"):
        Notifications(emails=(address,))


@pytest.mark.parametrize("address", ["a@b", "first.last+tag@mail.example.co.uk", "o'hara@example.com"])
def test_what_is_an_address_is_taken(address: str) -> None:
    """As HTML's field for e-mail addresses takes them."""
    assert Notifications(emails=(address,)).emails == (address,)
