"""How the command is called here, for hints that are printed: it may not be on the PATH."""

import os
import sys
from pathlib import Path
from shutil import which


def call(arguments: str) -> str:
    """Return a command line of `cdp-sync` as it can be typed here.

    Where the PATH has no such command it is the one beside Python: relative, such as `.venv/bin/cdp-sync runs`, as long
    as this process is in the folder of the shell.
    """
    if which("cdp-sync"):
        return f"cdp-sync {arguments}"
    script = Path(sys.executable).with_name("cdp-sync")
    if not script.exists():
        return f"{sys.executable} -m cdp_sync.cli {arguments}"
    here = os.path.relpath(script)
    moved = here.startswith(os.pardir) or os.environ.get("PWD") != str(Path.cwd())
    return f"{script if moved else here} {arguments}"
