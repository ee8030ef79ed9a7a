"""Lands the events of linked rows, in the transaction that lands their profiles.

Rows with one id are one event, whatever files they come from: of each property the last value counts, and items of a
nested list are added, or updated by their own identifier. What no row says stays as it was.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from cdp_sync.importing.events.items import NestedList, nested_lists
from cdp_sync.importing.events.portions import portions
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.columns import Columns
from cdp_sync.importing.staging.event_columns import StagedEvent
from cdp_sync.model import EventType
from cdp_sync.warehouse import Session, Step, event_columns, fixed, quote_identifier, quote_literal
from cdp_sync.warehouse.clock import touch

_SQL = "importing/events"


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
        table = f"warehouse.{quote_identifier(declared.table)}"
        lists = {each.prop.name: each for each in nested_lists(session, staged, table, stored[declared.name])}
        judged = bool(run.objectives and columns.consent)
        landing = Landing(declared, staged, bool(columns.links), judged, table, stored[declared.name], lists)
        _land(session, landing, now, run.key)
    session.run([fixed("file_counters", f"{_SQL}/counted")])


def _land(session: Session, landing: "Landing", now: datetime, named_run: Mapping[str, object]) -> None:
    named = {"type": landing.declared.name}
    has_events, latest, has_expired = session.row(
        f"""select exists (from {landing.table}), (select max(_written_at) from {landing.table}),
            exists (from warehouse.expired_event where event_type = $type)""",
        named,
    )
    # Later than any event was written, also after the clock was set back: exports ask for what was written since.
    written_at = max(now, latest + timedelta(microseconds=1)) if latest else now
    session.run([landing.rows_step("true")])
    for portion in portions(session) if landing.lists else ("true",):
        session.run([landing.rows_step(portion)])
        if has_expired:
            expired = fixed("expired_row", f"{_SQL}/expired_row", named)
            counted = fixed("event_outcome", f"{_SQL}/counted_expired")
            session.run((expired, counted, landing.rows_step(portion, expired=True)))
        session.run(landing.patch_steps())
        session.run([landing.change_step(stored=has_events)])
        session.run(landing.repeated_steps(session))
        if has_events:
            touch(session, now, landing.former_owners)
        session.run(landing.write_steps({**named_run, "now": now, "written_at": written_at}, stored=has_events))
        session.execute(landing.drop(stored=has_events))


@dataclass(frozen=True)
class Landing:
    """One type of event in a run: the statements that fold its rows and write what differs."""

    declared: EventType
    staged: tuple[StagedEvent, ...]
    """The entries of `events` of this type."""
    linked: bool
    """Whether rows say whose the events are."""
    judged: bool
    """Whether rows were held back for want of consent."""
    table: str
    """The type's table, as SQL names it."""
    columns: Mapping[str, str]
    """Those of the table, and their SQL types."""
    lists: Mapping[str, NestedList]
    """The nested lists that rows fill, by name."""

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The columns that rows fill with one value each: person and time, as far as rows say them, then properties."""
        filled = ["profile_id"] if self.linked else []
        filled += ["happened_at"] if any(event.time for event in self.staged) else []
        filled += [value.prop.name for event in self.staged for value in event.values]
        return tuple(dict.fromkeys(filled))

    def rows_step(self, portion: str, *, expired: bool = False) -> Step:
        """Return the step that makes `event_row`, of the rows of one portion; without the `expired` events."""
        rows = "\nunion all by name\n".join(map(self._rows_of, self.staged))
        known = " and event_id not in (select event_id from expired_row)" if expired else ""
        where = f"where {portion}{known}"
        return Step("event_row", f"create or replace temp view event_row as\nselect * from (\n{rows}\n)\n{where}")

    def _rows_of(self, event: StagedEvent) -> str:
        cells = {event.time_column: "happened_at"} if event.time else {}
        cells |= {value.column: value.prop.name for value in event.values}
        shown = [f"fresh.{quote_identifier(cell)} as {quote_identifier(name)}" for cell, name in cells.items()]
        for items in event.items:
            each = self.lists[items.prop.name]
            shown.append(f"{each.of_row(items)} as {each.name}")
        source, lands = "staging.fresh fresh", event.is_usable
        if self.linked:
            shown.append("a.profile_id")
            source, lands = f"{source}\njoin staging.assigned a using (row)", f"a.profile_id is not null and {lands}"
        elif self.judged:
            source, lands = f"{source}\njoin staging.assigned a using (row)", f"a.outcome = 'applied' and {lands}"
        return f"""select fresh.row as _row, fresh.file as _file, {self._id(event)} as event_id, {", ".join(shown)}
from {source}
where {lands}"""

    def _id(self, event: StagedEvent) -> str:
        """Return the expression for an event's id: without a mapped one a digest of all that it holds."""
        if event.id:
            return f"fresh.{event.id_column}"
        parts = [quote_literal(self.declared.name), f"epoch_us(fresh.{event.time_column})", "a.profile_id"]
        held = [(value.prop.name, f"fresh.{quote_identifier(value.column)}::varchar") for value in event.values]
        held += [(items.prop.name, items.as_text) for items in event.items]
        for name, text in sorted(held):  # what is empty does not count: a property that is mapped later changes no id
            parts.append(f"{quote_literal(f'{name}=')} || {text}")
        return f"md5(concat_ws(chr(31), {', '.join(parts)}))"

    def patch_steps(self) -> Iterator[Step]:
        """Yield the steps that fold the rows of each event into one: `event_patch`, and `touched_event`."""
        if self._by_row:  # all are grouped at once
            yield Step("event_patch", f"create temp table event_patch as\n{self._folded('')}")
            touched = "select event_id, _file as file from event_patch"
            yield Step("touched_event", f"create temp view touched_event as\n{touched}")
            return
        yield fixed("touched_event", f"{_SQL}/touched_event")
        several = self._folded("\nwhere event_id in (select event_id from touched_event where rows > 1)")
        alone = [self._named("r."), *(f"{each.alone} as {each.name}" for each in self.lists.values())]
        sql = f"""create temp {self._kind_of_patch} event_patch as
select t.event_id, t.file as _file, false as _contested, {", ".join(each for each in alone if each)}
from touched_event t
join event_row r on r._row = t.first_row and r.event_id = t.event_id
where t.rows = 1
union all by name
{several}"""
        yield Step("event_patch", sql)

    def _folded(self, condition: str) -> str:
        """Return the query that groups rows by event: of each property the last value counts."""
        shown = ["r.event_id", "arg_min(r._file, r._row) as _file"]
        shown.append(f"{'count(distinct r.profile_id) > 1' if self.linked else 'false'} as _contested")
        shown += [f"arg_max(r.{name}, r._row) as {name}" for name in map(quote_identifier, self.plain)]
        shown += [f"{each.folded} as {each.name}" for each in self.lists.values()]
        return f"select {', '.join(shown)}\nfrom event_row r{condition}\ngroup by r.event_id"

    def _named(self, table: str) -> str:
        return ", ".join(f"{table}{quote_identifier(name)}" for name in self.plain)

    def change_step(self, *, stored: bool) -> Step:
        """Return the step that makes `changed_event`: events that are new or differ, as they are after the run."""
        merging = self._merging
        news = {name: f"patch.{quote_identifier(name)}" for name in self.plain}
        if stored:
            news = {name: f"coalesce({value}, {_before(name)})" for name, value in news.items()}
        news |= {name: each.value(stored=stored) for name, each in self.lists.items()}
        shown = [f"{value} as {quote_identifier(name)}" for name, value in news.items()]
        shown += [f"{' or '.join(each.repeats for each in merging)} as _repeats"] if merging else []
        differs, join = "", "".join(f"\nleft join {each.merged} using (event_id)" for each in merging)
        if stored:
            others = [name for name in self.columns if name not in news and name != "event_id"]
            if self.linked:  # the profile that rows name has the event; where that is merged, the event follows later
                others.remove("_named_profile")
                shown.append("null::uuid as _named_profile")
            shown += [f"stored.{quote_identifier(name)}" for name in others]
            shown += ["stored.rowid as _place", "stored.event_id is null as _is_new"]
            shown += ["stored.happened_at as _happened_before"] if "happened_at" in news else []
            moved = f" or coalesce(patch.profile_id <> {_before('profile_id')}, false)" if self.linked else ""
            shown.append(f"patch._contested{moved} as _contested")
            join = f"\nleft join {self.table} stored using (event_id){join}"
            changes = (f"({value}) is distinct from {_before(name)}" for name, value in news.items())
            differs = f"\nwhere stored.event_id is null or {' or '.join(changes)}"
        else:
            absent = (name for name in ("profile_id", "happened_at") if name not in news)
            shown += [*(f"null::{self.columns[name]} as {name}" for name in absent), "true as _is_new"]
            shown.append("patch._contested")
        merged = ",\n".join(f"{each.merged} as materialized (\n{each.merged_sql(self.table)}\n)" for each in merging)
        sql = f"""create temp {self._kind_of_changes(stored)} changed_event as
{f"with {merged}" if merged else ""}
select patch.event_id, patch._file, {", ".join(shown)}
from event_patch patch{join}{differs}"""
        return Step("changed_event", sql)

    def repeated_steps(self, session: Session) -> Iterator[Step]:
        """Yield the steps that count items which rows bring more than once; none where there are none."""
        if self._merging and session.value("select exists (from changed_event where _repeats)"):
            yield from (each.repeated_step for each in self._merging)

    @property
    def _merging(self) -> list[NestedList]:
        """The lists whose items are known by an identifier."""
        return [each for each in self.lists.values() if each.can_merge]

    def write_steps(self, written: Mapping[str, object], *, stored: bool) -> Iterator[Step]:
        """Yield the steps that count the events and write those that are new or differ."""
        yield fixed("event_outcome", f"{_SQL}/counted_events", {"now": written["now"]})
        named = {name: written[name] for name in ("run_id", "connection", "goal")}
        yield fixed("warehouse.quarantine", f"{_SQL}/contested", {**named, "type": self.declared.name})
        if stored:
            if "happened_at" in self.plain:
                moment = {"type": self.declared.name, "written_at": written["written_at"]}
                yield fixed("warehouse.left_day", f"{_SQL}/left_day", moment)
            replaced = f"delete from {self.table} where rowid in (select _place from changed_event where not _is_new)"
            yield Step(self.table, replaced)
        own = {"_written_at": "$written_at", "connection": "$connection", "goal": "$goal", "run_id": "$run_id"}
        rest = (name for name in self.columns if name not in own) if stored else ("event_id", *self.plain, *self.lists)
        names = list(map(quote_identifier, rest))
        sql = f"""insert into {self.table} by name
select {", ".join([*names, *(f"{value} as {name}" for name, value in own.items())])}
from changed_event"""
        yield Step(self.table, sql, {name: value for name, value in written.items() if name != "now"})

    @property
    def former_owners(self) -> str:
        """The query for the profiles whose events become another profile's: nothing else says so of them."""
        return f"""select event.profile_id
from {self.table} event
join changed_event on event.rowid = changed_event._place
where not _is_new and event.profile_id is distinct from changed_event.profile_id and event.profile_id is not null"""

    def drop(self, *, stored: bool) -> str:
        """Return the statements that drop what another portion, or type, makes anew: perhaps of another kind."""
        return (
            f"drop {self._kind_of_changes(stored)} changed_event; drop {self._kind_of_patch} event_patch; "
            f"drop {'view' if self._by_row else 'table'} touched_event"
        )

    @property
    def _by_row(self) -> bool:
        """Whether rows are items, so that most events have several of them."""
        return any(each.by_row for each in self.lists.values())

    @property
    def _kind_of_patch(self) -> str:
        """A view, which costs nothing, where it is read once."""
        return "table" if self.lists else "view"

    def _kind_of_changes(self, stored: bool) -> str:
        """A view, where all events are new and nothing is merged."""
        return "table" if stored or self.lists else "view"


def _before(name: str) -> str:
    """Return the expression for a value that an event has; its person is the one that rows named, merged or not."""
    if name == "profile_id":
        return "coalesce(stored._named_profile, stored.profile_id)"
    return f"stored.{quote_identifier(name)}"
