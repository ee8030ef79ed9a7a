"""E-mail events of two people over some days, generated from the seed, and how the vendor's page would write them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, cast
from uuid import UUID

from cdp_sync.connectors.bluecore.goals import BluecoreExports
from cdp_sync.model import EventExportGoal, Profiles
from cdp_sync_tests.exporting.event_exporter import EventExporter
from cdp_sync_tests.exporting.event_exporter import profiles as event_profiles
from cdp_sync_tests.generated import SEED

SERVER = {"host": "files.example.com", "username": "u", "password_env": "P", "host_key": "SHA256:" + "A" * 43}
TYPES: dict[str, Any] = {
    "Deliver": "email_delivered",
    "Open": "email_opened",
    "Click": "email_link_clicked",
    "Unsubscribe": "email_unsubscribed",
    "Soft bounce": {"type": "email_bounced", "property": "kind", "equals": "soft"},
    "Hard bounce": {"type": "email_bounced", "property": "kind", "equals": "hard"},
    "Halt": "email_halted",
    "Spam report": "email_spam_reported",
    "Dropped": "email_dropped",
    "Deferred": "email_deferred",
}
READY_MADE = [name for name in (*TYPES.values(), "email_bounced") if isinstance(name, str) and name != "email_halted"]
MORE = [
    {"name": "classification"},
    {"name": "audiences", "type": "number", "multiple": True},
    {"name": "mailing_run"},
    {"name": "run_time", "type": "datetime"},
    *({"name": name} for name in ("source", "variant", "journey", "journey_title")),
    {"name": "bot", "type": "boolean"},
    {"name": "tracking", "items": [{"name": "name", "identifier": True}, {"name": "value"}]},
]
HALTED = [*({"name": name} for name in ("message_id", "campaign_id", "campaign_name", "subject")), *MORE]
EVENT_TYPES = [
    *({"name": name, "ready_made": True, "properties": MORE} for name in READY_MADE),
    {"name": "email_halted", "properties": HALTED},
]
PROPERTIES = {
    "campaign_classification": "classification",
    "audience_id": "audiences",
    "campaign_run_id": "mailing_run",
    "campaign_run_time": "run_time",
    "variant_id": "variant",
}
ONLY_IN_1 = {
    "unsubscribe_source": "source",
    "journey_id": "journey",
    "journey_name": "journey_title",
    "tracking_parameters": "tracking",
}
ONLY_IN_2 = {"tracking_params": "tracking", "is_bot_click": "bot"}
OPTIONAL = ["campaign_run_id", "campaign_run_time", "variant_id", "tracking_params", "is_bot_click"]
"""Fields of generation 2 that have to be asked for."""
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
AWKWARD = ('say "hi"', "a,b;c|d\te", "line\nbreak", "{}[]\\u0000", "Jürgen 😀", "null", "\\", "'", "=1+1", "x\r\ny")
"""Texts that a reader can get wrong."""


def profiles(**more: Any) -> Profiles:
    """Return a profile model with all types of e-mail events."""
    return event_profiles(event_types=EVENT_TYPES, **more)


def esp(generation: int = 1, **declared: Any) -> dict[str, Any]:
    """Return the declaration of the file of events."""
    named = PROPERTIES | (ONLY_IN_1 if generation == 1 else ONLY_IN_2)
    optional = {"optional": OPTIONAL} if generation == 2 else {}
    usual = {"directory": "/outbox", "generation": generation, "events": TYPES, "properties": named}
    return usual | optional | declared


def exports(**declared: Any) -> BluecoreExports:
    """Return a connection, read from its declaration."""
    return BluecoreExports.model_validate({"name": "bluecore", "server": SERVER, "namespace": "acme"} | declared)


def goal_of(**declared: Any) -> EventExportGoal:
    """Return the one goal of such a connection."""
    (goal,) = exports(**declared).event_exports
    return goal


def generated(number: int = 60) -> dict[str, list[dict[str, Any]]]:
    """Return events by type, of five days; some lack what may be absent."""
    random, every = Random(SEED), {}
    for name in dict.fromkeys([*READY_MADE, "email_halted"]):
        declared = {"email_bounced": {"kind": ("hard", "soft")}}.get(name, {})
        every[name] = [_event(random, name, serial, declared) for serial in range(number // len(EVENT_TYPES))]
    return every


def _event(random: Random, name: str, serial: int, among: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    event_type = next(each for each in profiles().event_types if each.name == name)
    texts = [prop.name for prop in event_type.properties if prop.type == "text" and not prop.items]
    made: dict[str, Any] = {
        "event_id": f"{name[6:9]}{serial}",
        "profile_id": UUID(int=random.randint(1, 2)),
        "happened_at": MIDNIGHT
        + timedelta(seconds=random.randrange(5 * 86400), microseconds=random.randrange(10**5) * 10 + 1),
        **{text: random.choice((*AWKWARD, None)) for text in texts},
        **{key: random.choice(tuple(values)) for key, values in among.items()},
        "audiences": random.choice((None, [7], [12, 3, 5])),
        "run_time": random.choice((None, MIDNIGHT)),
        "bot": random.choice((None, True, False)),
    }
    names = random.sample(("source", "medium", "größe"), 2)
    made["tracking"] = random.choice((None, [{"name": each, "value": random.choice(AWKWARD)} for each in names]))
    return made


def hold(exporter: EventExporter, every: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    """Insert events of all types."""
    for kind, events in every.items():
        exporter.hold(events, kind)


def exporter_of(folder: Path, goal: EventExportGoal) -> EventExporter:
    """Return runs of a goal, the first one after the last of the five days."""
    exporter = EventExporter(folder, goal, profiles())
    exporter.now = MIDNIGHT + timedelta(days=5, hours=1)
    return exporter


_VENDOR_NAMES = {source: name for name, source in TYPES.items() if isinstance(source, str)}
_ON_DEVICES, _WITH_REASON = (
    ("Open", "Click", "Unsubscribe"),
    ("Deferred", "Dropped", "Spam report", "Soft bounce", "Hard bounce"),
)


def written(kind: str, event: Mapping[str, Any], updated_at: datetime) -> dict[str, str]:
    """Return all fields that any of the vendor's pages has, as a plain reading of those pages writes an event."""
    name = _VENDOR_NAMES.get(kind) or f"{event['kind'].title()} bounce"
    tracking = json.dumps(event["tracking"], ensure_ascii=False, separators=(",", ":")) if event["tracking"] else ""
    found = {
        "namespace": "acme",
        "email": f"p{cast('UUID', event['profile_id']).int}@example.com",
        "event": name,
        "event_time": event["happened_at"].isoformat(),
        "device_type": event.get("device") if name in _ON_DEVICES else None,
        "user_agent": event.get("user_agent") if name in _ON_DEVICES else None,
        "click_url": event.get("url") if name == "Click" else None,
        "unsubscribe_source": event["source"] if name == "Unsubscribe" else None,
        "campaign_id": event["campaign_id"],
        "campaign_name": event["campaign_name"],
        "campaign_classification": event["classification"],
        "audience_id": "|".join(map(str, event["audiences"] or ())),
        "campaign_run_id": event["mailing_run"],
        "campaign_run_time": event["run_time"] and event["run_time"].isoformat(),
        "variant_id": event["variant"],
        "subject_line": event["subject"],
        "tracking_parameters": tracking,
        "tracking_params": tracking,
        "nqe": event["message_id"],
        "unique_key": hashlib.md5(f"{kind}\x1f{event['event_id']}".encode()).hexdigest(),
        "updated_at": updated_at.isoformat(),
        "journey_id": event["journey"],
        "journey_name": event["journey_title"],
        "is_bot_click": "" if name != "Click" or event["bot"] is None else str(event["bot"]).lower(),
        "reason": event.get("reason") if name in _WITH_REASON else None,
    }
    return {key: value or "" for key, value in found.items()}
