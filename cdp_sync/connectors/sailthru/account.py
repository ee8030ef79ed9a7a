"""How to reach an account with Sailthru, as an author declares it."""

from typing import Annotated

from pydantic import Field

from cdp_sync.model.base_url import BaseUrl, Variable
from cdp_sync.model.declared import Declared
from cdp_sync.model.schedule import TimeZone


class SailthruAccount(Declared):
    """An account with Sailthru, and how to reach it.

    Secrets are never part of it: a field `…_env` names an environment variable.
    """

    api_key_env: Annotated[Variable, Field(examples=["SHOP_API_KEY"])]
    """Environment variable that holds the API key."""
    api_secret_env: Annotated[Variable, Field(examples=["SHOP_API_SECRET"])]
    """Environment variable that holds the API secret."""
    time_zone: Annotated[TimeZone, Field(examples=["UTC"])] = "UTC"
    """IANA name of the account's time zone, as its settings say: exported lists have times of that zone."""
    base_url: BaseUrl = "https://api.sailthru.com"
    """Where the API is; another one than Sailthru's for a sandbox. http:// for this machine only."""
