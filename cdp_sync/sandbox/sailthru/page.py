"""The state for those who look: `GET /_sandbox`, a page for browsers and one JSON object for programs."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from cdp_sync.sandbox.sailthru.state import Scene
from cdp_sync.sandbox.sailthru.times import rfc2822

_MOST_USERS = 100
_LATEST = 20
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem } p { margin: .2rem 0; color: #666 }
table { border-collapse: collapse; width: 100% } th { text-align: left; color: #666; font-weight: 500 }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #e5e5e5; vertical-align: top }
td.number { text-align: right; width: 1%; white-space: nowrap } code { color: #666; font-size: .85em }
td:last-child code { white-space: nowrap }
b { font-weight: 500; color: #666 } .refused { color: #b00020 }
"""

Row = Sequence[str]
"""Cells as HTML."""


def page(scene: Scene) -> bytes:
    """Return users (the first hundred), lists, jobs and calls, without the key and its secret, as JSON."""
    told = {
        "counts": {
            "users": len(scene.account.users),
            "lists": len(scene.account.lists),
            "jobs": len(scene.account.jobs),
        },
        "calls": [f"{method} /{name} {status}: {n}" for (name, method, status), n in scene.calls.statuses.items()],
        "calls_per_minute": _per_minute(scene),
        "recent_calls": _recent(scene),
        "lists": _lists(scene),
        "jobs": _jobs(scene),
        "users": [asdict(user) for _, user in zip(range(_MOST_USERS), scene.account.users.values(), strict=False)],
    }
    return json.dumps(told, indent=2, ensure_ascii=False, default=str).encode()


def page_for_people(scene: Scene) -> bytes:
    """Return the same as HTML."""
    counts = {"users": len(scene.account.users), "lists": len(scene.account.lists), "jobs": len(scene.account.jobs)}
    told = ", ".join(f"{what}: {count:,}" for what, count in counts.items())
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Sailthru sandbox</title>",
        f"<style>{_STYLE}</style><h1>Sailthru sandbox</h1>",
        f"<p>{told.capitalize()}. Times are of {escape(str(scene.account.zone))}. Programs get this page as JSON.</p>",
        *_table("Lists", ("name", "type", "people"), _list_rows(scene)),
        *_table("Users", ("user", "custom fields", "lists"), _user_rows(scene), _user_note(scene)),
        *_table("Jobs", ("job", "about", "started", "status"), _job_rows(scene), "The latest first."),
        *_table("Calls", ("call", "status", "times"), _call_rows(scene)),
        "</html>",
    ]
    return "\n".join(parts).encode()


def _table(title: str, names: Sequence[str], rows: Iterable[Row], note: str = "") -> Iterator[str]:
    yield f"<h2>{title}</h2>" + (f"<p>{note}</p>" if note else "")
    found = list(rows)
    if not found:
        yield "<p>None.</p>"
        return
    yield f"<table><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>"
    yield from (f"<tr>{''.join(map(_cell, row))}</tr>" for row in found)
    yield "</table>"


def _cell(html: str) -> str:
    return f"<td class=number>{html}</td>" if html.replace(",", "").isdigit() else f"<td>{html}</td>"


def _list_rows(scene: Scene) -> Iterator[Row]:
    for told in _lists(scene):
        kind = "natural" if told["type"] == "normal" else f"smart {_small(told['query'])}"
        yield escape(told["name"]), kind, f"{told['count']:,}"


def _user_note(scene: Scene) -> str:
    return f"The first {_MOST_USERS}." if len(scene.account.users) > _MOST_USERS else ""


def _user_rows(scene: Scene) -> Iterator[Row]:
    zone = scene.account.zone
    for _, user in zip(range(_MOST_USERS), scene.account.users.values(), strict=False):
        keys = "<br>".join(escape(key) for key in (user.email, user.extid, user.sms) if key)
        lists = (f"{escape(name)}<br><code>since {rfc2822(at, zone)}</code>" for name, at in user.lists.items())
        yield f"{keys}<br><code>{user.sid}</code>", _fields(user.vars), "<br>".join(lists)


def _fields(found: Mapping[str, Any]) -> str:
    return "<br>".join(f"<b>{escape(name)}</b> {escape(_value(value))}" for name, value in found.items())


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _job_rows(scene: Scene) -> Iterator[Row]:
    for told in list(reversed(_jobs(scene)))[:_LATEST]:
        about = told.get("list") or told.get("name") or ""
        counts = ", ".join(f"{told[name]:,} {name}" for name in ("total", "successful", "failed") if name in told)
        status = f"{told['status']}{': ' + counts if counts else ''}"
        yield f"<code>{told['job_id']}</code>", escape(str(about)), told["start_time"], status


def _call_rows(scene: Scene) -> Iterator[Row]:
    for (name, method, status), times in sorted(scene.calls.statuses.items()):
        shown = f"<span class=refused>{status}</span>" if status >= 400 else f"<span>{status}</span>"
        yield f"{method} /{escape(name)}", shown, f"{times:,}"


def _small(query: Mapping[str, Any]) -> str:
    return f"<code>{escape(json.dumps(query, ensure_ascii=False))}</code>"


def _per_minute(scene: Scene) -> dict[str, dict[int, int]]:
    """Return the calls within the limit, by kind and by minute since 1970."""
    kinds = sorted({(endpoint, method) for endpoint, method, _ in scene.calls.statuses})
    return {f"{method} /{endpoint}": scene.calls.per_minute(endpoint, method) for endpoint, method in kinds}


def _recent(scene: Scene) -> list[str]:
    zone = scene.account.zone
    return [
        f"{rfc2822(int(when), zone)} {method} /{endpoint} {status}"
        for when, method, endpoint, status in scene.calls.recent
    ]


def _lists(scene: Scene) -> list[dict[str, Any]]:
    account = scene.account
    return [
        {"name": found.name, "type": found.type, "query": found.query, "count": len(account.members(found))}
        for found in account.lists.values()
    ]


def _jobs(scene: Scene) -> list[dict[str, Any]]:
    zone, url = scene.account.zone, scene.url
    return [
        scene.jobs.answer(job, lifetime=scene.export_lifetime, url=url, zone=zone)
        for job in scene.account.jobs.values()
    ]
