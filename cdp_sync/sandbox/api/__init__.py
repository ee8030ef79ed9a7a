"""What the sandboxes of vendors' APIs share: a server on loopback, and everything a test or a person may set on it.

A vendor is one subclass of `ApiSandbox` with its routes, what it reads and admits, how it words a refusal, and its
state. It receives from here: the call log (`calls`), rate limits (`limits`), ordered faults (`fail`), a clock that can
be moved (`clock`), late visibility (`visible`), jobs (`jobs`), downloads by URL (`downloads`), and the status page at
`/_sandbox`, as HTML for browsers and as JSON for programs.

    class Shop(ApiSandbox):
        vendor = "Shop"
        routes = (Route("/api/items/{number}", read_item, methods=["GET"], name="items"),)

        def admit(self, call: Call) -> None:
            if call.request.headers.get("api-key") != "secret":
                raise Refused(401, "Invalid API key")

    with Shop() as shop:
        requests.get(f"{shop.url}/api/items/1", headers={"Api-Key": "secret"})
"""

from cdp_sync.sandbox.api.answers import JsonAnswer, stream
from cdp_sync.sandbox.api.calls import Call, Calls
from cdp_sync.sandbox.api.clock import Clock
from cdp_sync.sandbox.api.downloads import Download, Downloads
from cdp_sync.sandbox.api.faults import Fault, Faults, Refused
from cdp_sync.sandbox.api.forms import Asked, Form, check, mapping, text
from cdp_sync.sandbox.api.jobs import Job, Jobs, State, Work
from cdp_sync.sandbox.api.keyed import Keyed
from cdp_sync.sandbox.api.limits import UNLIMITED, Allowance, Limit, Limits, faster
from cdp_sync.sandbox.api.page import Shown
from cdp_sync.sandbox.api.sandbox import ApiSandbox, Handler, methods
from cdp_sync.sandbox.api.visible import Visible

__all__ = [
    "UNLIMITED", "Allowance", "ApiSandbox", "Asked", "Call", "Calls", "Clock", "Download", "Downloads", "Fault",
    "Faults", "Form", "Handler", "Job", "Jobs", "JsonAnswer", "Keyed", "Limit", "Limits", "Refused", "Shown",
    "State", "Visible", "Work", "check", "faster", "mapping", "methods", "stream", "text",
]  # fmt: skip
