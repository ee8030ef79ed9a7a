"""Lands the events of linked rows, in the transaction that lands their profiles.

Rows with one id are one event, whatever files they come from: of each property the last value counts, and items of a
nested list are added, or updated by their own identifier. What no row says stays as it was.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cdp_sync.importing.events.items import NestedList, nested_lists
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.event_columns import StagedEvent, StagedItems
from cdp_sync.model import EventType
from cdp_sync.warehouse import Session, Step, event_columns, fixed, quote_identifier, quote_literal

_SQL = "importing/events"

_PORTION = 1_500_000
"""Rows with items that are folded at a time: DuckDB keeps the lists that it makes of them in memory."""


def land_events(session: Session, run: ImportRun, columns: Columns, now: datetime) -> None:
    """Write the events of the rows that are applied, and count them by file in `file_counters`.

    To be called within the transaction, before the counters are recorded.
    """
    if not columns.events:
        return
    session.run([fixed("event_outcome", f"{_SQL}/event_outcome")])
    stored = event_columns(session)
    for declared in {event.declared.name: event.declared for event in columns.events}.values():
        staged = tuple(event for event in columns.events if event.declared.name == declared.name)
        _land(session, Landing(declared, staged, stored[declared.name]), {**run.key, "now": now})
    session.run([fixed("file_counters", f"{_SQL}/counted")])


def _land(session: Session, landing: "Landing", written: dict[str, object]) -> None:
    named = {"type": landing.declared.name}
    rows, has_events, has_expired = session.row(
        f"""select (select count(*) from staging.fresh), exists (from {landing.table}),
            exists (from warehouse.expired_event where event_type = $type)""",
        named,
    )
    portions = max(1, -(-rows // _PORTION)) if landing.lists else 1
    for portion in range(portions):
        session.run(landing.patch_steps(portion, portions))
        if has_expired:
            session.run([fixed("touched_event", f"{_SQL}/expired", named)])
        session.run(landing.change_steps(stored=has_events))
        session.run(landing.write_steps(written, stored=has_events))


@dataclass(frozen=True)
class Landing:
    """One type of event in a run: the statements that fold its rows and write what differs."""

    declared: EventType
    staged: tuple[StagedEvent, ...]
    """The entries of `events` of this type."""
    columns: Mapping[str, str]
    """Those of the type's table, and their SQL types."""

    @property
    def table(self) -> str:
        """The type's table, as SQL names it."""
        return f"warehouse.{quote_identifier(self.declared.table)}"

    @cached_property
    def lists(self) -> Mapping[str, NestedList]:
        """The nested lists that rows fill, by name."""
        every: dict[str, list[StagedItems]] = {}
        for items in (items for event in self.staged for items in event.items):
            every.setdefault(items.prop.name, []).append(items)
        return {each.prop.name: each for each in nested_lists(every, self.columns)}

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The columns that rows fill with one value each: person and time, then properties."""
        filled = dict.fromkeys(value.prop.name for event in self.staged for value in event.values)
        return ("profile_id", "happened_at", *filled)

    def patch_steps(self, portion: int, portions: int) -> Iterator[Step]:
        """Yield the steps that fold the rows of each event into one: `event_patch`; of one portion of all events."""
        only = f"\nwhere hash(event_id) % {portions} = {portion}" if portions > 1 else ""
        rows = "\nunion all by name\n".join(map(self._rows_of, self.staged))
        yield Step("event_row", f"create or replace temp view event_row as\nselect * from (\n{rows}\n){only}")
        yield fixed("touched_event", f"{_SQL}/touched_event")
        yield Step("event_patch", f"create temp {self._kind_of_patch} event_patch as\n{self._patch()}")

    def _rows_of(self, event: StagedEvent) -> str:
        cells = {event.time_column: "happened_at"} | {value.column: value.prop.name for value in event.values}
        shown = [f"fresh.{quote_identifier(cell)} as {quote_identifier(name)}" for cell, name in cells.items()]
        for items in event.items:
            each = self.lists[items.prop.name]
            shown.append(f"{each.of_row(items)} as {each.name}")
        return f"""select fresh.row, fresh.file, {self._id(event)} as event_id, a.profile_id, {", ".join(shown)}
from staging.fresh fresh
join staging.assigned a using (row)
where (a.profile_id is not null or a.outcome = 'applied') and {event.is_usable}"""

    def _id(self, event: StagedEvent) -> str:
        """Return the expression for an event's id: without a mapped one a digest of all that it holds."""
        if event.id:
            return f"fresh.{event.id_column}"
        parts = [quote_literal(self.declared.name), f"epoch_us(fresh.{event.time_column})", "a.profile_id"]
        held = [(value.prop.name, value.column) for value in event.values]
        held += [(items.prop.name, items.column) for items in event.items]
        for name, column in sorted(held):  # what is empty does not count: a property that is mapped later changes no id
            parts.append(f"{quote_literal(f'{name}=')} || fresh.{quote_identifier(column)}::varchar")
        return f"md5(concat_ws(chr(31), {', '.join(parts)}))"

    def _patch(self) -> str:
        """Return the query for what the rows say of each event."""
        names = [quote_identifier(name) for name in self.plain]
        alone = [f"r.{name}" for name in names]
        alone += [f"{each.alone} as {each.name}" for each in self.lists.values()]
        folded = [f"arg_max(r.{name}, r.row) as {name}" for name in names]
        folded += [f"{each.folded} as {each.name}" for each in self.lists.values()]
        return f"""select t.event_id, t.file, false as contested, {", ".join(alone)}
from touched_event t
join event_row r on r.row = t.first_row and r.event_id = t.event_id
where t.rows = 1
union all by name
select t.event_id, t.file, count(distinct r.profile_id) > 1 as contested, {", ".join(folded)}
from touched_event t
join event_row r using (event_id)
where t.rows > 1
group by t.event_id, t.file"""

    def change_steps(self, *, stored: bool) -> Iterator[Step]:
        """Yield the steps that make `changed_event`: events that are new or differ, as they are after the run."""
        merging = [each for each in self.lists.values() if each.can_merge]
        for each in merging:
            yield each.merge_step(self.table, stored=stored)
        news = {name: f"patch.{quote_identifier(name)}" for name in self.plain}
        if stored:
            news = {name: f"coalesce({value}, stored.{quote_identifier(name)})" for name, value in news.items()}
        news |= {name: each.value(stored=stored) for name, each in self.lists.items()}
        shown = [f"{value} as {quote_identifier(name)}" for name, value in news.items()]
        differs, join = "", "".join(f"\nleft join {each.merged} using (event_id)" for each in merging)
        if stored:
            others = (name for name in self.columns if name not in news and name != "event_id")
            shown += [f"stored.{quote_identifier(name)}" for name in others]
            shown += ["stored.rowid as _place", "stored.event_id is null as _is_new"]
            shown.append("patch.contested or coalesce(patch.profile_id <> stored.profile_id, false) as _contested")
            join = f"\nleft join {self.table} stored using (event_id){join}"
            changes = (f"({value}) is distinct from stored.{quote_identifier(name)}" for name, value in news.items())
            differs = f"\nwhere stored.event_id is null or {' or '.join(changes)}"
        else:
            shown += ["true as _is_new", "patch.contested as _contested"]
        sql = f"""create temp {self._kind_of_changes(stored)} changed_event as
select patch.event_id, patch.file as _file, {", ".join(shown)}
from event_patch patch{join}{differs}"""
        yield Step("changed_event", sql)

    def write_steps(self, written: Mapping[str, object], *, stored: bool) -> Iterator[Step]:
        """Yield the steps that count the events and write those that are new or differ."""
        yield fixed("event_outcome", f"{_SQL}/counted_events", {"now": written["now"]})
        if stored:
            replaced = f"delete from {self.table} where rowid in (select _place from changed_event where not _is_new)"
            yield Step(self.table, replaced)
        own = {"_written_at": "$now", "connection": "$connection", "goal": "$goal", "run_id": "$run_id"}
        rest = (name for name in self.columns if name not in own) if stored else ("event_id", *self.plain, *self.lists)
        names = list(map(quote_identifier, rest))
        sql = f"""insert into {self.table} by name
select {", ".join([*names, *(f"{value} as {name}" for name, value in own.items())])}
from changed_event"""
        yield Step(self.table, sql, written)
        yield Step("changed_event", f"drop {self._kind_of_changes(stored)} changed_event")
        yield Step("event_patch", f"drop {self._kind_of_patch} event_patch")

    @property
    def _kind_of_patch(self) -> str:
        """A view, which costs nothing, where it is read once."""
        return "table" if self.lists else "view"

    def _kind_of_changes(self, stored: bool) -> str:
        """A view, where all events are new."""
        return "table" if stored else "view"
