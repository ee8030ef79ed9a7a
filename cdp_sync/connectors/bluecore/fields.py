"""The fields of Bluecore's files of events, each in the order of the vendor's pages. Pure data.

Generation 1 is the page "Data exports overview", generation 2 the later page "Overview of export data".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

VendorEvent = Literal[
    "Deliver",
    "Open",
    "Click",
    "Unsubscribe",
    "Soft bounce",
    "Hard bounce",
    "Halt",
    "Spam report",
    "Dropped",
    "Deferred",
]
"""The events of the vendor's export, in its own words."""
VENDOR_EVENTS: tuple[VendorEvent, ...] = get_args(VendorEvent)

_ON_DEVICES: tuple[VendorEvent, ...] = ("Open", "Click", "Unsubscribe")
_WITH_REASON: tuple[VendorEvent, ...] = ("Deferred", "Dropped", "Spam report", "Soft bounce", "Hard bounce")


@dataclass(frozen=True)
class Field:
    """A field of a file: what of every event it holds, or which property of events."""

    name: str
    holds: Mapping[str, Any] | None = None
    """The column's key, where every event has it."""
    property: str = ""
    """The property of the ready-made types; empty: none has it, so it is declared or the column is empty."""
    of: tuple[VendorEvent, ...] = ()
    """The events that have it; empty: all."""


_EVENT_TIME = Field("event_time", {"happened_at": True})
_DEVICE = Field("device_type", property="device", of=_ON_DEVICES)
_USER_AGENT = Field("user_agent", property="user_agent", of=_ON_DEVICES)
_CLICK_URL = Field("click_url", property="url", of=("Click",))
_UNIQUE_KEY, _UPDATED_AT = Field("unique_key", {"unique_key": True}), Field("updated_at", {"written_at": True})
_CAMPAIGN = (
    Field("campaign_id", property="campaign_id"),
    Field("campaign_name", property="campaign_name"),
    Field("campaign_classification"),
    Field("audience_id"),
)
_RUN = (Field("campaign_run_id"), Field("campaign_run_time"), Field("variant_id"))
_SUBJECT, _NQE = Field("subject_line", property="subject"), Field("nqe", property="message_id")
_WHO = (Field("namespace"), Field("email"), Field("event"))

GENERATION_1 = (
    *_WHO, _EVENT_TIME, _DEVICE, _USER_AGENT, _CLICK_URL, Field("unsubscribe_source", of=("Unsubscribe",)), *_CAMPAIGN,
    *_RUN, _SUBJECT, Field("tracking_parameters"), _NQE, Field("journey_id"), Field("journey_name"), _UNIQUE_KEY,
    _UPDATED_AT,
)  # fmt: skip

GENERATION_2 = (
    *_WHO[1:], _EVENT_TIME, _UNIQUE_KEY, _UPDATED_AT, _DEVICE, _USER_AGENT, *_CAMPAIGN, _SUBJECT, _NQE, _CLICK_URL,
    Field("reason", property="reason", of=_WITH_REASON),
)  # fmt: skip

OPTIONAL = (*_RUN, Field("tracking_params"), Field("is_bot_click", of=("Click",)))
"""Fields of generation 2 that are in the file when they are asked for."""

UNSUBSCRIBES = (
    *_WHO, _EVENT_TIME, _DEVICE, _USER_AGENT, *_CAMPAIGN, *_RUN, _SUBJECT, Field("tracking_parameters"), _NQE,
)  # fmt: skip
