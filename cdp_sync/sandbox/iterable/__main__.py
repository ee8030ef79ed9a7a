"""Iterable's API as a process of its own, until a signal comes or standard input ends.

KEY=… python -m cdp_sync.sandbox.iterable --api-key-env KEY
"""

import argparse
import os

from cdp_sync.sandbox.api.process import api_options, serve
from cdp_sync.sandbox.iterable import DOCUMENTED_LIMITS, IterableSandbox


def made(options: argparse.Namespace) -> IterableSandbox:
    """Return the sandbox that the options describe."""
    return IterableSandbox(
        api_key=os.environ[options.api_key_env], project_type=options.project_type, port=options.port,
        limits=DOCUMENTED_LIMITS if options.documented_limits else {},
    )  # fmt: skip


if __name__ == "__main__":
    parser = api_options("cdp_sync.sandbox.iterable", "Serve Iterable's API.")
    parser.add_argument("--api-key-env", required=True, help="environment variable that holds the only key")
    parser.add_argument("--project-type", choices=("email", "user_id", "hybrid"), default="email")
    serve(made, parser.parse_args())
