"""Sailthru: lists, users and jobs of an account, over its API.

`SailthruClient` is the door. `protocol` holds the knowledge of the API and does no I/O. The contract it follows is
told by the vendor's pages (getstarted.sailthru.com/developers/api) and official clients; where they leave something
open, both ways are taken.
"""

from cdp_sync.connectors.sailthru.audience import SailthruAudience
from cdp_sync.connectors.sailthru.checking import Finding
from cdp_sync.connectors.sailthru.client import SailthruClient
from cdp_sync.connectors.sailthru.protocol import Call, get_user, post_user
from cdp_sync.connectors.sailthru.values import Job, MailingList

__all__ = ["Call", "Finding", "Job", "MailingList", "SailthruAudience", "SailthruClient", "get_user", "post_user"]
