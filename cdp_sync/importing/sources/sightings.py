"""Since when files are as they are, by our own clock; a server's clock may be wrong, and senders may keep old times."""

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from cdp_sync.model import RemoteFile
from cdp_sync.private import private_folder, write_private


class Sightings:
    """When files that are to be imported were first seen in their size and with their time.

    Args:
        file: Where it is remembered for the next run; None: only as long as this object lives. What cannot be read or
            written there is forgotten, which costs a wait.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._since = self._read()

    def note(self, files: Iterable[RemoteFile], now: datetime) -> None:
        """Note a look at these files; all others are forgotten."""
        self._keep({file: min(self._since.get(file, now), now) for file in files})

    def add(self, files: Iterable[RemoteFile], since: datetime) -> None:
        """Note an earlier look at these files, beside what is known."""
        self._keep({**dict.fromkeys(files, since), **self._since})

    def remaining(self, files: Iterable[RemoteFile], seconds: float, now: datetime) -> float:
        """Return for how many seconds from now these files must stay as they are, to have done so for `seconds`."""
        oldest = now - timedelta(seconds=seconds)
        return max(((self._since.get(file, now) - oldest).total_seconds() for file in files), default=0.0)

    def _keep(self, since: dict[RemoteFile, datetime]) -> None:
        if since != self._since:
            self._since = since
            with suppress(OSError):
                self._write()

    def _read(self) -> dict[RemoteFile, datetime]:
        if self._file is None:
            return {}
        with suppress(OSError, ValueError, TypeError, KeyError):
            entries = json.loads(self._file.read_text(encoding="utf-8"))
            moment = datetime.fromisoformat
            return {
                RemoteFile(moment(entry["modified_at"]), entry["path"], entry["size"]): moment(entry["since"])
                for entry in entries
            }
        return {}

    def _write(self) -> None:
        if self._file is None:
            return
        if not self._since:
            self._file.unlink(missing_ok=True)
            return
        entries = [
            {"path": file.path, "size": file.size, "modified_at": file.modified_at.isoformat(), "since": at.isoformat()}
            for file, at in self._since.items()
        ]
        private_folder(self._file.parent)
        written = self._file.with_suffix(".new")
        write_private(written, json.dumps(entries))
        written.replace(self._file)
