"""The items of a catalog as an import's source: read whole, a thousand a page."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from cdp_sync.connectors import disk
from cdp_sync.connectors.iterable import answers, protocol
from cdp_sync.connectors.iterable.catalog_goal import ITEM_ID, CatalogGoal
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.errors import RemoteFailure, RequestRefused
from cdp_sync.model import FetchedFile, FileReport, FileState, RemoteFile, SourceLook
from cdp_sync.model.counting import counted
from cdp_sync.private import private_folder

_ATTEMPTS = 3
"""How often a catalog is read that changes meanwhile, so that pages do not fit together."""
_SHOWN = 3

Json = Mapping[str, Any]


class CatalogSource:
    """The items of a goal's catalog.

    Args:
        client: Calls the project.
        goal: Names the catalog.
    """

    enricher = None

    def __init__(self, client: IterableClient, goal: CatalogGoal) -> None:
        self._client, self._goal = client, goal
        self.paths = goal.paths

    def arrivals(self, folder: Path, progress: Callable[[str, int], None]) -> Iterator[FetchedFile | FileReport]:
        """Yield the items as they were fetched to `folder`, or why they could not be."""
        name = self._goal.catalog
        target = private_folder(folder) / "items.json"
        try:
            content = self._fetch(lambda size: progress(name, size))
        except (RequestRefused, RemoteFailure) as error:
            yield FileReport(name, FileState.FAILED, message=str(error))
            return
        with disk.while_writing(target):
            target.touch(mode=0o600)
            target.write_bytes(content)
        remote = RemoteFile(datetime.now(UTC), name, len(content))
        yield FetchedFile(remote, target, hashlib.sha256(content).hexdigest(), reader="ndjson", fields=(ITEM_ID,))

    def _fetch(self, progress: Callable[[int], None]) -> bytes:
        """Return all items, a line each.

        Raises:
            RequestRefused: There is no such catalog.
            RemoteFailure: It changed each time while it was read.
        """
        for _ in range(_ATTEMPTS):
            lines: dict[str, bytes] = {}
            totals: set[int] = set()
            for page in count(1):
                items, total = self._page(page, protocol.MOST_ITEMS)
                lines |= {str(each[ITEM_ID]): json.dumps(each).encode() + b"\n" for each in items}
                totals.add(total)
                progress(sum(map(len, lines.values())))
                if not items or len(lines) >= total:
                    break
            if totals == {len(lines)}:
                return b"".join(lines.values())
        raise RemoteFailure("The catalog changed while it was read, so that items may be missing.")

    def _page(self, page: int, size: int) -> tuple[list[dict[str, Any]], int]:
        return answers.catalog_items(self._client.ask(protocol.get_catalog_items(self._goal.catalog, page, size)))

    def look(self) -> SourceLook:
        """Return how many items there are, with the fields of some."""
        items, total = self._page(1, _SHOWN)
        rows = tuple((str(each[ITEM_ID]), ", ".join(sorted(set(each) - {ITEM_ID}))) for each in items)
        sample = b"".join(json.dumps(each).encode() + b"\n" for each in items)
        shown = counted(len(items), "item")
        return SourceLook("item", ("id", "fields"), rows, counted(total, "item"), (), sample, shown)


def catalog_problems(client: IterableClient, goal: CatalogGoal) -> Iterator[str]:
    """Yield what is wrong with a goal's catalog: it is not there, or has no such field."""
    try:
        known = answers.catalog_fields(client.ask(protocol.get_catalog_fields(goal.catalog)))
    except RequestRefused as refused:
        yield str(refused)
        return
    for mapping in goal.map:
        if known and mapping.field not in known and mapping.field != ITEM_ID:
            yield f"the catalog {goal.catalog} has no field {mapping.field!r}; it has {', '.join(sorted(known))}"
