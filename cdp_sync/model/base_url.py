"""Addresses of APIs, and names of environment variables, as an author declares them."""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from cdp_sync.model.kind import template_or


def as_base_url(value: str) -> str:
    """Return the address of an API; a `ValueError` says why it is none, or none that secrets may be sent to."""
    try:
        parts = urlsplit(value)
        _ = parts.port  # parsed only when it is read
    except ValueError:
        raise ValueError(f"found {value!r}; needed is https:// and a host") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError(f"found {value!r}; needed is https:// and a host")
    if parts.username is not None:
        raise ValueError("found a user before the host; needed is https:// and the host alone")
    if parts.path or set(value) & set("?#"):
        raise ValueError(f"found {value!r}; needed is nothing after the host and port")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(f"found {value!r}; http:// is for this machine only, needed is https://")
    return value


def is_loopback(host: str) -> bool:
    """Whether a name or address is of this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


BaseUrl = Annotated[str, AfterValidator(as_base_url), template_or(str)]
"""Address of an API: https:// and a host, or a template of one."""

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable."""
