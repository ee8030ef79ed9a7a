"""The API as a process of its own, until a signal comes or standard input ends.

    SECRET=… python -m cdp_sync.sandbox.sailthru --api-key key --api-secret-env SECRET

One line of JSON on standard output says when it is ready, and where.
"""

import argparse
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from cdp_sync.sandbox.sailthru import Limits, SailthruSandbox
from cdp_sync.sandbox.server_process import exit_unless_free


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve."""
    options = _options(arguments)
    # Users stay as long as the process does; to look through them all again and again takes half of its time.
    gc.set_threshold(100_000, 50, 100)
    exit_unless_free(options.port)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    if options.until_stdin_closes:
        threading.Thread(target=_wait_for_end_of_input, args=[done], daemon=True).start()
    with SailthruSandbox(
        api_key=options.api_key, api_secret=os.environ[options.api_secret_env], time_zone=options.time_zone,
        limits=_limits(options), port=options.port,
    ) as box:  # fmt: skip
        box.clear_emails = options.clear_emails
        if options.users:
            with options.users.open(encoding="utf-8") as lines:
                box.account.add_users(map(json.loads, lines))
        sys.stdout.write(json.dumps({"url": box.url}) + "\n")
        sys.stdout.flush()
        done.wait()
    if options.keep_users and options.users:
        _keep(box, options.users)


def _keep(box: SailthruSandbox, file: Path) -> None:
    """Write the users down, as `--users` reads them: all of them, or what was there before."""
    written = file.with_name(f"{file.name}.new")
    with written.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(asdict(user), ensure_ascii=False) + "\n" for user in box.account.users.values())
    written.replace(file)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cdp_sync.sandbox.sailthru", description="Play Sailthru's API.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, picks a free one")
    parser.add_argument("--api-key", required=True, help="the only key")
    parser.add_argument("--api-secret-env", required=True, help="environment variable that holds its secret")
    parser.add_argument("--time-zone", default="America/New_York", help="the account's")
    limits = parser.add_mutually_exclusive_group()
    limits.add_argument("--documented-limits", action="store_true", help="allow so many calls a minute as Sailthru")
    limits.add_argument("--limit", type=int, help="allow so many calls to `user` a minute, of each method")
    parser.add_argument("--clear-emails", action="store_true", help="let exports carry e-mail addresses")
    parser.add_argument("--users", type=Path, help="file of users to begin with, one JSON object a line")
    parser.add_argument("--keep-users", action="store_true", help="write them back to that file at the end")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
    return parser.parse_args(arguments)


def _limits(options: argparse.Namespace) -> Limits | None:
    if options.limit:
        return Limits({("user", method): options.limit for method in ("GET", "POST", "DELETE")})
    return Limits.documented() if options.documented_limits else None


def _wait_for_end_of_input(done: threading.Event) -> None:
    # Not sys.stdin: a thread that waits in it would keep the interpreter from ending on a signal.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    done.set()


if __name__ == "__main__":
    main()
