"""Sailthru's API as a process of its own, until a signal comes or standard input ends.

SECRET=… python -m cdp_sync.sandbox.sailthru --api-key key --api-secret-env SECRET
"""

import argparse
import os

from cdp_sync.sandbox.api import Limit
from cdp_sync.sandbox.api.process import api_options, serve
from cdp_sync.sandbox.sailthru import DOCUMENTED_LIMITS, SailthruSandbox


def made(options: argparse.Namespace) -> SailthruSandbox:
    """Return the sandbox that the options describe."""
    limited = {("user", method): Limit(options.limit) for method in ("GET", "POST", "DELETE")} if options.limit else {}
    box = SailthruSandbox(
        api_key=options.api_key, api_secret=os.environ[options.api_secret_env], time_zone=options.time_zone,
        limits=DOCUMENTED_LIMITS if options.documented_limits else limited, port=options.port,
    )  # fmt: skip
    box.clear_emails = options.clear_emails
    return box


if __name__ == "__main__":
    parser = api_options("cdp_sync.sandbox.sailthru", "Serve Sailthru's API.")
    parser.add_argument("--api-key", required=True, help="the only key")
    parser.add_argument("--api-secret-env", required=True, help="environment variable that holds its secret")
    parser.add_argument("--time-zone", default="America/New_York", help="the account's")
    parser.add_argument("--clear-emails", action="store_true", help="let exports carry e-mail addresses")
    serve(made, parser.parse_args())
