"""A vendor's sandbox as a process of its own, with its state kept in a file from one start to the next."""

import argparse
import gc
import json
from collections.abc import Callable
from pathlib import Path

from cdp_sync.sandbox.api.sandbox import ApiSandbox
from cdp_sync.sandbox.server_process import exit_unless_free, server_options, wait_until_ended


def api_options(module: str, description: str) -> argparse.ArgumentParser:
    """Return the options that every vendor has; each adds its own."""
    parser = server_options(module, description)
    limits = parser.add_mutually_exclusive_group()
    limits.add_argument("--documented-limits", action="store_true", help="allow so many calls as the vendor")
    limits.add_argument("--limit", type=int, help="allow so many calls to `user` a minute, of each method")
    parser.add_argument("--users", type=Path, help="file of users to begin with, one JSON object a line")
    parser.add_argument("--keep-users", action="store_true", help="write them back to that file at the end")
    return parser


def serve(make: Callable[[argparse.Namespace], ApiSandbox], options: argparse.Namespace) -> None:
    """Serve until a signal comes or, where it is asked for, standard input ends; one line of JSON says where."""
    exit_unless_free(options.port)
    # Users stay as long as the process does; with the usual thresholds, collecting takes half of its time.
    gc.set_threshold(100_000, 50, 100)
    box = make(options)
    if options.users:
        with options.users.open(encoding="utf-8") as lines:
            box.load(map(json.loads, lines))
    with box:
        wait_until_ended({"url": box.url}, options)
    if options.keep_users and options.users:
        written = options.users.with_name(f"{options.users.name}.new")
        with written.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in box.dump())
        written.replace(options.users)
