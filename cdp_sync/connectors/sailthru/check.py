"""Whether an account can be used: its credentials, each endpoint that is needed, its time zone. Nothing is changed."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cdp_sync.connectors.sailthru import protocol
from cdp_sync.connectors.sailthru.protocol import Call
from cdp_sync.errors import AuthenticationFailed, JobLost, RequestRefused, Terminal

if TYPE_CHECKING:
    from cdp_sync.connectors.sailthru.goals import SailthruConnection

_UNUSED_ID = "0" * 24
"""An id that nothing has: it would be of the year 1970."""

_PROBES = {
    "list": protocol.get_lists(),
    "user": protocol.get_user(_UNUSED_ID, "sid", {"keys": 1}),
    "job": protocol.get_job(_UNUSED_ID),
}
"""A harmless call to each endpoint that is needed."""


def check(connection: "SailthruConnection") -> Iterator[tuple[str, bool]]:
    """Try what is needed of an account; yield in sentences what was found, and whether that is as it should be.

    Raises:
        Transient: Sailthru cannot be reached, or fails.
    """
    from cdp_sync.connectors.sailthru.client import SailthruClient

    with SailthruClient(connection.account) as client:
        for subject, problem in client.check().items():
            yield f"{subject}: {problem or 'in order.'}", not problem


def findings(ask: Callable[[Call], dict[str, Any] | None], time_zone: str) -> dict[str, str]:
    """Return what is wrong, by subject, "" if it is fine; nothing else once the credentials are refused.

    The account's time zone is compared with the declared one where the key may read it: it need not.
    """
    found = {"credentials": ""}
    for endpoint, call in _PROBES.items():
        try:
            ask(call)
            found[endpoint] = ""
        except AuthenticationFailed as refused:
            return {"credentials": str(refused)}
        except (JobLost, RequestRefused):
            found[endpoint] = ""  # understood, so permitted
        except Terminal as problem:
            found[endpoint] = str(problem)
    try:
        zone = (ask(protocol.get_settings()) or {}).get("timezone")
    except Terminal:
        zone = None
    if isinstance(zone, str):
        differs = (
            f"The account's time zone is {zone} and time_zone is {time_zone}: times in lists would be read wrongly."
        )
        found["time_zone"] = "" if zone == time_zone else differs
    return found
