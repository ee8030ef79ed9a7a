"""Whether an account can be used: its credentials, each endpoint that is needed, its time zone. Nothing is changed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdp_sync.connectors.sailthru import protocol
from cdp_sync.connectors.sailthru.protocol import Call
from cdp_sync.errors import AuthenticationFailed, JobLost, RequestRefused, Terminal

if TYPE_CHECKING:
    from cdp_sync.connectors.sailthru.goals import SailthruConnection

_UNUSED_ID = "0" * 24
"""An id that nothing has: it would be of the year 1970."""

_PROBES = (
    ("list", protocol.get_lists()),
    ("user", protocol.get_user(_UNUSED_ID, "sid", {"keys": 1})),
    ("job", protocol.get_job(_UNUSED_ID)),
)
"""A harmless call to each endpoint that is needed."""

Ask = Callable[[Call], dict[str, Any] | None]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    """credentials, list, user, job or time_zone."""
    problem: str = ""
    """What is wrong with it, in a sentence or two; nothing if it is fine."""


def check(connection: "SailthruConnection") -> Iterator[tuple[str, bool]]:
    """Try what is needed of an account; yield in sentences what was found, and whether that is as it should be.

    Raises:
        Transient: Sailthru cannot be reached, or fails.
    """
    from cdp_sync.connectors.sailthru.client import SailthruClient

    with SailthruClient(connection.account) as client:
        for finding in client.check():
            yield f"{finding.subject}: {finding.problem or 'in order.'}", not finding.problem


def findings(ask: Ask, time_zone: str) -> tuple[Finding, ...]:
    """Look at everything; at nothing more once the credentials are refused.

    Args:
        ask: Makes a call.
        time_zone: As declared.
    """
    found = []
    for endpoint, call in _PROBES:
        try:
            found.append(Finding(endpoint, _problem(ask, call)))
        except AuthenticationFailed as refused:
            return (Finding("credentials", str(refused)),)
    return (Finding("credentials"), *found, *_time_zone(ask, time_zone))


def _problem(ask: Ask, call: Call) -> str:
    try:
        ask(call)
    except AuthenticationFailed:
        raise
    except (JobLost, RequestRefused):
        return ""  # understood, so permitted
    except Terminal as problem:
        return str(problem)
    return ""


def _time_zone(ask: Ask, declared: str) -> tuple[Finding, ...]:
    """Compare the account's time zone with what is declared, where the key may read it: it need not."""
    try:
        zone = (ask(protocol.get_settings()) or {}).get("timezone")
    except Terminal:
        return ()
    if not isinstance(zone, str):
        return ()
    differs = f"The account's time zone is {zone} and time_zone is {declared}: times in lists would be read wrongly."
    return (Finding("time_zone", "" if zone == declared else differs),)
