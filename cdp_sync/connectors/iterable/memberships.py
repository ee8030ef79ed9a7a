"""The lists of an export goal: which they are, who is on them, and how users are put on and taken off them."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from cdp_sync.connectors.iterable import answers, protocol
from cdp_sync.connectors.iterable.answers import target
from cdp_sync.connectors.iterable.batches import Batch
from cdp_sync.connectors.iterable.client import IterableClient
from cdp_sync.connectors.iterable.goals import EMAIL
from cdp_sync.connectors.iterable.protocol import Call
from cdp_sync.errors import ListUnknown
from cdp_sync.quoting import quote_literal
from cdp_sync.retrying import Pauses, wait_until

_APPEARS_WITHIN = 120.0
"""Seconds in which a list that was just made may not be known yet (API documentation)."""
_PAUSES = Pauses(1.0, 2.0, 15.0)

_MEMBERS = """
with member as (
    select distinct {fold}(column0) as id
    from read_csv({path}, header = false, auto_detect = false, delim = chr(31), quote = '', escape = '',
        columns = {{'column0': 'VARCHAR'}})
)
select place
from (select place, line ->> 'id' as id from sent where line ->> 'key' = {key})
where {fold}(id) in (select id from member)"""


class Memberships:
    """The lists of a goal by their declared names.

    Args:
        client: Calls the project.
        wanted: Names or ids of the lists.
        create: Whether a name that does not exist is created; otherwise such a name or id is left out.
    """

    def __init__(self, client: IterableClient, wanted: Iterable[str | int], *, create: bool) -> None:
        self._client = client
        self.new: set[str] = set()
        self.ids: dict[str, int] = {}
        wanted = tuple(wanted)
        there = client.lists() if wanted else ()
        known = {str(each.id) for each in there} | {each.name for each in there}
        for named in map(str, wanted):
            if not create and named not in known:
                continue
            if found := target(there, named):
                self.ids[named] = found.id
            else:
                self.ids[named] = answers.list_id(client.ask(protocol.create_list(named)))
                self.new.add(named)

    def change(self, ask: Callable[[Call], Any], name: str) -> Callable[[Call], Any]:
        """Return how a call that changes a list is made: again for a while where the list was just made."""
        return partial(self._until_known, ask) if name in self.new else ask

    def _until_known(self, ask: Callable[[Call], Any], call: Call) -> Any:  # noqa: ANN401 - any JSON
        waited, answer = 0.0, list[Any]()

        def known() -> bool:
            try:
                answer.append(ask(call))
            except ListUnknown:
                return False
            return True

        def wait(seconds: float) -> None:
            nonlocal waited
            waited += seconds
            self._client.wait(seconds)

        return answer[0] if wait_until(known, _PAUSES, lambda: _APPEARS_WITHIN - waited, wait) else ask(call)

    def subscribe(self, name: str, batch: Batch, *, existing_only: bool) -> Call:
        """Return the call that puts users on a list."""
        return protocol.subscribe(self.ids[name], [each.who for each in batch], existing_only=existing_only)

    def unsubscribe(self, name: str, batch: Batch) -> Call:
        """Return the call that takes users off a list."""
        return protocol.unsubscribe(self.ids[name], [each.who for each in batch])

    def members_query(self, name: str, key: str, folder: Path) -> str:
        """Fetch who is on a list; return the query for the users among them who are known by a key.

        What was fetched stays in the folder: when a run is resumed, its own first users are not
        taken for members of before.
        """
        target = folder / f"list_{self.ids[name]}_{key}"
        if not target.exists():
            part = target.with_suffix(".part")
            self._client.fetch_list(self.ids[name], part, by_address=key == EMAIL)
            part.replace(target)
        fold = "lower" if key == EMAIL else ""
        return _MEMBERS.format(path=quote_literal(str(target)), key=quote_literal(key), fold=fold)
