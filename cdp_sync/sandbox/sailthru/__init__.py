"""Sailthru's API on loopback, for the demonstration, for tests and as the yardstick of measurements.

    with SailthruSandbox(api_key="key", api_secret="secret") as box:
        box.account.add_users([{"email": "ann@example.com", "vars": {"plan": "pro"}, "lists": ["Main"]}])
        SailthruClient("key", "secret", api_url=box.url).get_user("ann@example.com")

It knows `user`, `list`, `job` and `settings`. Where the vendor's pages and clients leave something open, it does this:

Calls. Forbidden and unknown endpoints: 403 and 404, error 99. A refused call counts in its minute, except beyond the
limit, which is checked before the signature. Without limits, the headers give a thousand million calls.
Users. An unknown `sid` or `cookie` creates nobody: 400, error 99. `keys` of another user: 409, error 99, unless
`keysconflict` is `merge`: then the named user stays and receives what only the other one had. Null and empty keys
change nothing. A var that is set to null stays, with null. Names of vars lose `% - . $`; spaces become `_`.
`visible_after` delays `GET user` alone; a change during the delay hides both changes.
Jobs. A job is `pending` for `job_seconds`, then works on what is there. A failed one has done nothing. A line of
`update` or `import` that is not valid is left out. `url` is refused. `import` makes a list that does not exist.
CSV. Columns are those of an export of 2015 that was published; a clear address stands in `Email` after `Email Hash`.
Vars are in alphabetical order, or as asked for, and written as PHP does: null is empty, booleans are `1` and `0`, whole
numbers have no decimals, arrays are joined by commas; objects are JSON. Purchases and devices are empty or 0.
"""

from cdp_sync.sandbox.api import Clock
from cdp_sync.sandbox.sailthru.sandbox import DOCUMENTED_LIMITS, SailthruSandbox

__all__ = ["DOCUMENTED_LIMITS", "Clock", "SailthruSandbox"]
