"""The types of events that Iterable exports, and the fields that every line of them has."""

from typing import Annotated

from pydantic import AfterValidator

from cdp_sync.model.suggestion import allowed

DATA_TYPES = (
    "purchase", "customEvent", "emailSend", "emailOpen", "emailClick", "hostedUnsubscribeClick",
    "emailSubscribe", "emailUnSubscribe", "emailComplaint", "emailBounce", "emailSendSkip", "pushSend",
    "pushOpen", "pushUninstall", "pushBounce", "pushSendSkip", "inAppSend", "inAppOpen", "inAppClick",
    "inAppClose", "inAppDelete", "inAppDelivery", "inAppSendSkip", "inAppRecall", "inboxSession",
    "inboxMessageImpression", "smsSend", "smsBounce", "smsClick", "smsReceived", "smsSendSkip", "smsUsageInfo",
    "webPushSend", "webPushClick", "webPushSendSkip", "rcsSend", "rcsSendSkip", "embeddedSend",
    "embeddedSendSkip", "embeddedClick", "embeddedReceived", "embeddedImpression", "embeddedSession",
    "anonSession", "unknownSession", "journeyExit", "whatsAppBounce", "whatsAppClick", "whatsAppReceived",
    "whatsAppSeen", "whatsAppSend", "whatsAppSendSkip", "whatsAppUsageInfo",
)  # fmt: skip
"""The values of `dataTypeName` besides `user` (API documentation, export/data.json)."""

EVENT_TIME = "createdAt"
"""The field with the time of an event, which windows are read by."""

DATA_TYPE = "data type"
"""A field of events that no export holds: the type of data that the line is of."""

WITHIN = ("dataFields",)
"""Objects that may hold an event's own fields; where an export has them is not documented."""


def _known(found: str) -> str:
    """Return a type of data as Iterable writes it, whatever its case.

    Raises:
        ValueError: There is none of that name.
    """
    known = {name.lower(): name for name in DATA_TYPES}
    if found.lower() not in known:
        raise ValueError(f"found {found!r}; {allowed(found, DATA_TYPES)}")
    return known[found.lower()]


DataType = Annotated[str, AfterValidator(_known)]
"""A type of events that Iterable exports."""
