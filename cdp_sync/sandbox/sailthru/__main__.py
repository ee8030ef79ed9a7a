"""Sailthru's API as a process of its own, until a signal comes or standard input ends.

SECRET=… python -m cdp_sync.sandbox.sailthru --api-key key --api-secret-env SECRET
"""

import gc
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from cdp_sync.sandbox.api import Limit
from cdp_sync.sandbox.sailthru import DOCUMENTED_LIMITS, SailthruSandbox
from cdp_sync.sandbox.server_process import exit_unless_free, server_options, wait_until_ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve."""
    parser = server_options("cdp_sync.sandbox.sailthru", "Serve Sailthru's API.")
    parser.add_argument("--api-key", required=True, help="the only key")
    parser.add_argument("--api-secret-env", required=True, help="environment variable that holds its secret")
    parser.add_argument("--time-zone", default="America/New_York", help="the account's")
    limits = parser.add_mutually_exclusive_group()
    limits.add_argument("--documented-limits", action="store_true", help="allow so many calls a minute as Sailthru")
    limits.add_argument("--limit", type=int, help="allow so many calls to `user` a minute, of each method")
    parser.add_argument("--clear-emails", action="store_true", help="let exports carry e-mail addresses")
    parser.add_argument("--users", type=Path, help="file of users to begin with, one JSON object a line")
    parser.add_argument("--keep-users", action="store_true", help="write them back to that file at the end")
    options = parser.parse_args(arguments)
    exit_unless_free(options.port)
    # Users stay as long as the process does; with the usual thresholds, collecting takes half of its time.
    gc.set_threshold(100_000, 50, 100)
    allowed = {("user", method): Limit(options.limit) for method in ("GET", "POST", "DELETE")} if options.limit else {}
    with SailthruSandbox(
        api_key=options.api_key, api_secret=os.environ[options.api_secret_env], time_zone=options.time_zone,
        limits=DOCUMENTED_LIMITS if options.documented_limits else allowed, port=options.port,
    ) as box:  # fmt: skip
        box.clear_emails = options.clear_emails
        if options.users:
            with options.users.open(encoding="utf-8") as lines:
                box.account.add_users(map(json.loads, lines))
        wait_until_ended({"url": box.url}, options)
    if options.keep_users and options.users:
        written = options.users.with_name(f"{options.users.name}.new")
        with written.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(asdict(user), ensure_ascii=False) + "\n" for user in box.account.users.values())
        written.replace(options.users)


if __name__ == "__main__":
    main()
