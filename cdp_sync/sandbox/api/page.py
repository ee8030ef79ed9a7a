"""The status page: a page for browsers, one JSON object for programs. It shows no keys and no secrets."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, Template
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from cdp_sync.sandbox.api.times import rfc2822

if TYPE_CHECKING:
    from cdp_sync.sandbox.api.sandbox import ApiSandbox

PATH = "/_sandbox"
_MOST = 100
"""Objects that are shown of each kind."""


@dataclass(frozen=True)
class Shown:
    """Objects of one kind.

    Attributes:
        objects: All of them; the first hundred are shown.
        describe: Returns one of them as JSON.
    """

    objects: Collection[Any]
    describe: Callable[[Any], Mapping[str, Any]]

    @property
    def total(self) -> int:
        """Their number."""
        return len(self.objects)

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The first of them, as JSON."""
        return [self.describe(each) for each in islice(self.objects, _MOST)]


def status_page(box: "ApiSandbox", request: Request) -> Response:
    """Return the page: HTML where it is accepted, JSON otherwise."""
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_for_people(box))
    return Response(json.dumps(_state(box), indent=2, ensure_ascii=False, default=str), media_type="application/json")


def _state(box: "ApiSandbox") -> dict[str, Any]:
    statuses = box.calls.statuses
    kinds = sorted({(endpoint, method) for endpoint, method, _ in statuses})
    shown = box.shown()
    return {
        "counts": {name: table.total for name, table in shown.items()},
        "calls": [f"{method} /{name} {status}: {n}" for (name, method, status), n in statuses.items()],
        "calls_per_minute": {f"{method} /{name}": box.calls.per_minute(name, method) for name, method in kinds},
        "recent_calls": [
            f"{rfc2822(int(time), box.zone)} {method} /{endpoint} {status}"
            for time, method, endpoint, status in box.calls.recent
        ],
        **{name: table.rows for name, table in shown.items()},
    }


def _for_people(box: "ApiSandbox") -> str:
    calls = [(*kind, times) for kind, times in sorted(box.calls.statuses.items())]
    tables = {name: _table(shown) for name, shown in box.shown().items()}
    return _template().render(vendor=box.vendor, zone=box.zone, tables=tables, calls=calls)


def _table(shown: Shown) -> dict[str, Any]:
    """Return the rows, and as columns the attributes that any of them has."""
    rows = shown.rows
    columns = dict.fromkeys(name for row in rows for name, value in row.items() if value not in (None, "", {}, []))
    return {"total": shown.total, "rows": rows, "columns": list(columns)}


@cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader(__package__, "."), autoescape=True, trim_blocks=True)
    environment.filters["text"] = _text
    return environment.get_template("page.html")


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
