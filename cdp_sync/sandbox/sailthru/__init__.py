"""Sailthru's API on loopback, for the demonstration, for tests and as the yardstick of measurements.

    from cdp_sync.sandbox.sailthru import SailthruSandbox

    with SailthruSandbox(api_key="key", api_secret="secret") as box:
        box.account.add_users([{"email": "ann@example.com", "vars": {"plan": "pro"}, "lists": ["Main"]}])
        SailthruClient("key", "secret", api_url=box.url).get_user("ann@example.com")

It plays the endpoints `user`, `list`, `job` and `settings` as the vendor's pages and clients tell; all others are
unknown to it. What it is asked is in `box.calls`, what it keeps in `box.account`, and both are shown at `/_sandbox`,
as a page for browsers and as JSON. `box.clock` can be moved on: jobs, minutes of the limits and delayed visibility
follow it.

Where those leave something open, this is what was chosen:

Calls
- An endpoint that the key may not call: 403, error 99. An endpoint that is not there: 404, error 99.
- Without `format`, or with another one than `json`, answers are XML, and always an error (2, or 99).
- Every call counts in its minute, also one that is refused for another reason than the limit; a call beyond the limit
  does not. The limit comes before the signature. Without limits the headers tell of a thousand million calls.
- Parameters that are not the expected kind of JSON: 400, error 99.

Users
- An unknown `sid` or `cookie` creates nobody: 400, error 99, as a reader gets; an unknown `extid` or `sms` creates.
- `keys` that belong to another user: 409, error 99, with `keysconflict` `error` and without `keysconflict`. With
  `merge` the user that is meant stays, the other's sid is gone, and what only the other had goes over; who is not there
  yet is not created but takes on the other. Keys that are null or empty stay as they are.
- A var that is set to null is kept with null. Names of vars lose `% - . $`, and spaces become `_`; those that begin
  with a digit or are longer than 32 characters are refused with error 99, and nothing of the call is done.
- Putting somebody on a smart list or taking them off: 400, error 99. The answer's key is `smart_lists`.
- `fields.vars` gives all vars. No purchases are played.
- Delayed visibility (`visible_after`) concerns `GET user` alone; a change during it hides both until its own time.

Lists
- A name is there once. `$` in it, more than 2000 lists, more than 50 primary ones: 400, error 99.
- The smart criteria are those of `smart.py`; others are refused.

Jobs
- `export_list_data` of an unknown list: 404, error 15, at once; a list is meant by its name, not by `list_id`. Unknown
  `job_id`: 400, error 99. Other kinds than `export_list_data`, `update`, `import` and `list_erase`, and files given by
  `url`: 400, error 99. `postback_url` and `report_email` are ignored.
- A job is `pending` for `job_seconds`, then works on what is there at that time, then is over. One that fails has done
  nothing. Of an export that is gone the job tells `expired`, and its address answers 404.
- A line of `update` or `import` that cannot be (its JSON, its address, an unknown sid) is left out. With
  `reports_lines` the finished job tells `total`, `successful` and `failed`; addresses in
  `silent_drops` are in `total` alone.
- `import` makes a list that is not there.

CSV
- Columns as in an export of 2015 that was published. The clear address is in a column `Email` behind `Email Hash`.
- `Lists` are natural lists, separated by commas. Vars are in alphabetical order, or in the order asked for.
- Values as PHP writes them: null is empty, booleans are `1` and `0`, whole numbers have no decimals, arrays are joined
  by commas; objects are JSON. Cells with a space are quoted too, as in that file; quotes in them are doubled.
- Lines end with a line feed. Places, purchases and devices are empty or 0.
"""

from cdp_sync.sandbox.sailthru.limits import Limits
from cdp_sync.sandbox.sailthru.server import SailthruSandbox
from cdp_sync.sandbox.sailthru.times import Clock

__all__ = ["Clock", "Limits", "SailthruSandbox"]
