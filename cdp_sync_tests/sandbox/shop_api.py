"""An example vendor, which shows how a new sandbox uses `sandbox/api`.

Unlike Sailthru it has a key in a header of two spellings, JSON bodies, paths with parameters, text, streams of
JSON lines, exports in several files of which only some run at once, and leaky limits that answer with `Retry-After`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from cdp_sync.sandbox.api import (
    Allowance,
    ApiSandbox,
    Call,
    Job,
    JsonAnswer,
    Keyed,
    Limit,
    Refused,
    Shown,
    methods,
    stream,
)

KEY = "shop-key-17"  # of a server that lives for one test
LIMITS = {("users/export", "GET"): Limit(4, 60, leaky=True), ("*", "POST"): Limit(100, 1, leaky=True)}


@dataclass
class Customer:
    """A customer of the shop."""

    email: str
    plan: str = "free"


def read_customer(box: "ShopSandbox", call: Call) -> dict[str, Any]:
    """Return a customer in its visible state; an unknown one is an empty object."""
    email = call.request.path_params["email"]
    found = box.visible.seen(email, box.known.find("email", email))
    return asdict(found) if found else {}


def save_customers(box: "ShopSandbox", call: Call) -> dict[str, int]:
    """Create or change many customers; count invalid ones."""
    good = [given for given in call.body["customers"] if "@" in given["email"]]
    for given in good:
        before = box.known.find("email", given["email"])
        box.visible.hide([given["email"]], replace(before) if before else None, box.visible_after)
        customer = before or Customer(given["email"])
        box.known.set(customer, "email", given["email"])
        customer.plan = given.get("plan", customer.plan)
        box.customers[given["email"]] = customer
    return {"successCount": len(good), "failCount": len(call.body["customers"]) - len(good)}


def stream_customers(box: "ShopSandbox", _call: Call) -> Response:
    """Return a line of JSON for each customer."""
    customers = list(box.customers.values())
    return stream((json.dumps(asdict(each)).encode() + b"\n" for each in customers), "application/x-json-stream")


def count_customers(box: "ShopSandbox", _call: Call) -> str:
    """Return the number of customers, as text."""
    return str(len(box.customers))


def start_export(box: "ShopSandbox", _call: Call) -> dict[str, str]:
    """Start an export."""
    job = box.start_job(f"job{len(box.jobs.by_id)}", "export", {}, partial(write_files, box))
    box.jobs.settle()
    return {"jobId": job.job_id}


def write_files(box: "ShopSandbox", job: Job) -> Iterator[None]:
    """Write a file for each customer."""
    for each in box.customers.values():
        content = json.dumps(asdict(each)).encode()
        job.files.append(box.downloads.offer(f"{each.email}.json", [content], box.export_lifetime, "application/json"))
        yield


def read_export(box: "ShopSandbox", call: Call) -> dict[str, Any]:
    """Return the state of an export and its files."""
    job = box.jobs.by_id.get(call.request.path_params["job_id"])
    if job is None:
        raise Refused(404, "No such job", "NotFound")
    return {"jobState": job.state, "files": [f"{box.url}/{file.path}" for file in job.files]}


def cancel_export(box: "ShopSandbox", call: Call) -> dict[str, Any]:
    """Cancel an export."""
    box.jobs.cancel(box.jobs.by_id[call.request.path_params["job_id"]])
    return read_export(box, call)


class ShopSandbox(ApiSandbox):
    """The shop: routes, key, limits, errors and state."""

    vendor = "Shop"
    routes = (
        Route("/api/users/export", stream_customers, methods=["GET"], name="users/export"),
        *methods("/api/users/count", "users/count", GET=count_customers),
        *methods("/api/users/{email}", "users", GET=read_customer),
        *methods("/api/users", "users", POST=save_customers),
        *methods("/api/export", "exports", POST=start_export),
        *methods("/api/export/{job_id}", "exports", GET=read_export, DELETE=cancel_export),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(jobs_at_once=1, **options)
        self.customers: dict[str, Customer] = {}
        self.known: Keyed[Customer] = Keyed("email")

    def admit(self, call: Call) -> None:
        """Check the key."""
        if call.header("Api-Key", "api_key") != KEY:
            raise Refused(401, "Invalid API key", "BadApiKey", endpoint=call.request.url.path)

    def refuse(self, call: Call, refused: Refused) -> Response:
        """Answer with JSON and a code in words; for an unknown path with a page."""
        if refused.status == 404 and refused.code is None:
            return Response("Action not found", 404, media_type="text/html")
        code = refused.code or {429: "RateLimitExceeded"}.get(refused.status, "GenericError")
        return JsonAnswer({"msg": refused.message, "code": code, "params": refused.details}, refused.status)

    def rate_headers(self, allowance: Allowance) -> Mapping[str, str]:
        """Return when another call is allowed."""
        return {} if allowance.allowed else {"Retry-After": str(int(allowance.reset - self.clock()))}

    def shown(self) -> Mapping[str, Shown]:
        """Return the customers."""
        return {"customers": Shown(self.customers.values(), asdict)}
