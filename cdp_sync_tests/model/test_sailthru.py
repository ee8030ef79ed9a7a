"""What an author may declare of an account with Sailthru."""

import pytest
from pydantic import ValidationError

from cdp_sync.connectors.sailthru.goals import SailthruAccount

NEEDED = {"api_key_env": "SAILTHRU_KEY", "api_secret_env": "SAILTHRU_SECRET"}


def test_an_account_needs_its_two_secrets_only() -> None:
    """The rest has the documented defaults."""
    account = SailthruAccount.model_validate(NEEDED)
    assert (account.time_zone, account.base_url) == ("UTC", "https://api.sailthru.com")


@pytest.mark.parametrize(
    "url", ["https://api.example.com:8443", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"]
)
def test_an_address_is_a_host_with_tls_or_this_machine(url: str) -> None:
    """Only this machine is spoken to in the clear."""
    assert SailthruAccount.model_validate(NEEDED | {"base_url": url}).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.sailthru.com",
        "https://api.sailthru.com/",
        "https://api.sailthru.com/v1",
        "https://key@api.sailthru.com",
        "https://",
        "api.sailthru.com",
        "ftp://localhost",
        "https://host:port",
        "http://127.0.0.1.example.com",
        "https://api.sailthru.com?",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """With what was found and what is needed."""
    with pytest.raises(ValidationError, match="needed is"):
        SailthruAccount.model_validate(NEEDED | {"base_url": url})


@pytest.mark.parametrize("fields", [{"time_zone": "Mars/Olympus"}, {"api_key_env": "not a name"}, {"api_key": "k"}])
def test_other_problems_are_refused(fields: dict[str, str]) -> None:
    """A zone nobody knows, a variable no system has, a key written into the declaration."""
    with pytest.raises(ValidationError):
        SailthruAccount.model_validate(NEEDED | fields)
