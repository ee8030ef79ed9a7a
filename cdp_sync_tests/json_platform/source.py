"""The people of a JSON file as an import's source."""

import csv
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from cdp_sync.model import FetchedFile, FileReport, FileState, RemoteFile, SourceLook
from cdp_sync.private import private_folder
from cdp_sync_tests.json_platform.client import JsonClient
from cdp_sync_tests.json_platform.goals import PeopleGoal


class JsonSource:
    """The file of an import goal.

    Args:
        client: Reads the file.
        goal: Names the file.
    """

    enricher = None

    def __init__(self, client: JsonClient, goal: PeopleGoal) -> None:
        self._client, self._goal, self.paths = client, goal, (goal.file,)

    def arrivals(self, folder: Path, progress: Callable[[str, int], None]) -> Iterator[FetchedFile | FileReport]:
        """Yield the people as delimited text, or the reason for their absence."""
        people = self._client.read(self._goal.file)
        if people is None:
            yield FileReport(self._goal.file, FileState.FAILED, message="There is no such file.")
            return
        private_folder(folder)
        target = folder / "people.csv"
        with target.open("w", encoding="utf-8", newline="") as file:
            rows = csv.DictWriter(file, sorted({key for person in people for key in person}))
            rows.writeheader()
            rows.writerows(people)
        content = target.read_bytes()
        progress(self._goal.file, len(content))
        remote = RemoteFile(datetime.now(UTC), self._goal.file, len(content))
        yield FetchedFile(remote, target, hashlib.sha256(content).hexdigest())

    def look(self) -> SourceLook:
        """Return the number of people in the file."""
        people = self._client.read(self._goal.file)
        count = None if people is None else len(people)
        return SourceLook("file", ("file", "people"), ((self._goal.file, count),), f"{count or 0} people")
