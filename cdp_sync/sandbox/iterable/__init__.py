"""Iterable's API on loopback, for the demonstration, for tests and as the yardstick of measurements.

    with IterableSandbox(api_key="key", project_type="hybrid") as box:
        box.load([{"email": "ann@example.com", "dataFields": {"plan": "pro"}, "lists": ["Main"]}])
        requests.get(f"{box.url}/api/users/ann@example.com", headers={"Api-Key": "key"})

It knows lists, users, events, commerce, exports and catalogs. Where the vendor's pages and clients leave something
open, it does this:

Keys. A key of the other data center is not known here: 401. `mobile_key` may call nothing: 403.
Users. Addresses are lower case. In projects of one unique identifier, several users may share the other one; the
oldest is found. In projects of userIds an address alone is not found. A call that changes nothing is no update: the
user is under `noOpEmails`. `visible_after` delays all readers; a change during the delay hides both changes.
Hybrid projects. Where an address and a userId belong to two users, or the user has another one, the identifier that
the user was found by is in conflict, the address where both find somebody.
Bulk calls. A wrong type is that user's failure, or with `refuses_whole_batches` the whole call's. Too many fields
refuse the whole call. `updateExistingUsersOnly` lists unknown users as not found, and unsubscribing does so too.
Events. An unknown address is created. A wrong type in `trackBulk` refuses the call from that event on.
Fields. Whole numbers fit fields of decimals, dates fit fields of text. Types of arrays are those of their elements.
Unknown ids in `emailListIds` are ignored; the times of the profile cannot be set.
Lists. Dynamic ones have a rule: a field and its value. Names of lists may repeat.
Catalogs. Items are listed by id, and the first page is 1. Writes show at once.
Exports. `purchase` and `customEvent` have their data fields beside the standard ones. Links that have expired: 403.
Times without a zone are UTC. CSV has all columns that any row has, with arrays as JSON.
Limits. None unless `box.limits = DOCUMENTED_LIMITS`, which `faster` scales. No answer says what is left.
"""

from cdp_sync.sandbox.api import Clock, faster
from cdp_sync.sandbox.iterable.project import ProjectType
from cdp_sync.sandbox.iterable.sandbox import DOCUMENTED_LIMITS, IterableSandbox

__all__ = ["DOCUMENTED_LIMITS", "Clock", "IterableSandbox", "ProjectType", "faster"]
