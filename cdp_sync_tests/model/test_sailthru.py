"""Declared Sailthru accounts."""

import pytest
from pydantic import ValidationError

from cdp_sync.connectors.sailthru.goals import SailthruAccount

NEEDED = {"api_key_env": "SAILTHRU_KEY", "api_secret_env": "SAILTHRU_SECRET"}


def test_an_account_needs_two_secrets() -> None:
    """An account needs two secrets; the rest has the documented defaults."""
    account = SailthruAccount.model_validate(NEEDED)
    assert (account.time_zone, account.base_url) == ("UTC", "https://api.sailthru.com")


@pytest.mark.parametrize(
    "url", ["https://api.example.com:8443", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"]
)
def test_an_address_has_tls_unless_it_is_local(url: str) -> None:
    """An address has TLS, unless it is this machine."""
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
    """Other addresses are refused with the value found and the value needed."""
    with pytest.raises(ValidationError, match="needed is"):
        SailthruAccount.model_validate(NEEDED | {"base_url": url})


@pytest.mark.parametrize("fields", [{"time_zone": "Mars/Olympus"}, {"api_key_env": "not a name"}, {"api_key": "k"}])
def test_other_problems_are_refused(fields: dict[str, str]) -> None:
    """An unknown time zone, an invalid variable name, and a secret in the declaration are refused."""
    with pytest.raises(ValidationError):
        SailthruAccount.model_validate(NEEDED | fields)
