"""Sailthru's API on loopback, for the demonstration, for tests and as the yardstick of measurements.

    with SailthruSandbox(api_key="key", api_secret="secret") as box:
        box.account.add_users([{"email": "ann@example.com", "vars": {"plan": "pro"}, "lists": ["Main"]}])
        SailthruClient("key", "secret", api_url=box.url).get_user("ann@example.com")

It knows the endpoints `user`, `list`, `job` and `settings`, as the vendor's pages and clients describe them. Where
those leave something open, the sandbox does this:

Calls: an endpoint that the key may not call: 403, error 99. An unknown one: 404, error 99. Without `format=json`,
answers are XML and always an error (2 or 99). A call counts in its minute also when it is refused, except beyond the
limit. The limit is checked before the signature. Without limits the headers give a thousand million calls. Parameters
that are not the expected kind of JSON: 400, error 99.

Users: an unknown `sid` or `cookie` creates nobody: 400, error 99. An unknown `extid` or `sms` creates a user. `keys` of
another user: 409, error 99, unless `keysconflict` is `merge`: then the named user stays and receives what only the
other one had. Null and empty keys change nothing. A var that is set to null stays, with null. Names of vars lose
`% - . $`, and spaces become `_`; names that begin with a digit or have more than 32 characters are refused. Members of
smart lists cannot be set. `visible_after` delays `GET user` alone; a change during the delay hides both changes.

Jobs: a job is `pending` for `job_seconds`, then works on what is there, then has ended. A failed one has done nothing.
A line of `update` or `import` that is not valid is left out. `url` is refused; `postback_url` is ignored. `import`
makes a list that does not exist. An expired export is `expired` in its job, and its address answers 404.

CSV: the columns of an export of 2015 that was published; a clear address stands in `Email` after `Email Hash`. Vars are
in alphabetical order, or in the order asked for. Values are as PHP writes them: null is empty, booleans are `1` and `0`,
whole numbers have no decimals, arrays are joined by commas; objects are JSON. Purchases and devices are empty or 0.
"""

from cdp_sync.sandbox.api import Clock
from cdp_sync.sandbox.sailthru.sandbox import DOCUMENTED_LIMITS, SailthruSandbox

__all__ = ["DOCUMENTED_LIMITS", "Clock", "SailthruSandbox"]
