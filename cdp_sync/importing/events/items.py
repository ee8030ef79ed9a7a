"""Nested lists of events: the items of several rows, folded into those that an event has already."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cdp_sync.importing.staging.event_columns import StagedEvent, StagedItems
from cdp_sync.model import EventProperty
from cdp_sync.warehouse import Session, Step, quote_identifier, quote_literal
from cdp_sync.warehouse.events import item_columns


@dataclass(frozen=True)
class NestedList:
    """A nested list that rows fill."""

    prop: EventProperty
    by_row: bool
    """Each row has one item of it at most; otherwise a row may have several."""
    stored_type: str
    """The SQL type of its column: it may have items of more properties than are declared."""
    is_held: bool
    """Some event of the warehouse has items in it, before the run."""

    @property
    def name(self) -> str:
        """The quoted column."""
        return quote_identifier(self.prop.name)

    @property
    def merged(self) -> str:
        """The name of `merged_sql`."""
        return f"merged_{self.prop.name}"

    @property
    def can_merge(self) -> bool:
        """Whether items are known by an identifier; otherwise a list replaces the one before."""
        return self.prop.item_identifier is not None

    def of_row(self, items: StagedItems) -> str:
        """Return the expression for what a row has: one item, or a list."""
        column = f"fresh.{quote_identifier(items.column)}"
        if self.by_row or items.field:
            return column
        return f"case when {column} is not null then [{column}] end"

    @property
    def alone(self) -> str:
        """The expression for the list of an event that one row is about."""
        column = f"r.{self.name}"
        return f"case when {column} is not null then [{column}] end" if self.by_row else column

    @property
    def folded(self) -> str:
        """The aggregate for the list of an event that several rows are about, in the order of the rows."""
        if not self.can_merge:
            return f"arg_max(r.{self.name}, r._row)"
        # Put in order once it is whole: an aggregate with an order of its own takes twice the time.
        held, rows = (f"list({each}) filter (r.{self.name} is not null)" for each in (f"r.{self.name}", "r._row"))
        held = f"list_select({held}, list_grade_up({rows}))"
        return held if self.by_row else f"flatten({held})"

    @property
    def joined(self) -> str:
        """Return the expression for the items that an event has and those that rows bring, one after the other."""
        brought = f"patch.{self.name}::{self.stored_type}"
        if not (self.is_held and self.can_merge):
            return brought
        return (
            f"case when stored.{self.name} is null then {brought} else list_concat(stored.{self.name}, {brought}) end"
        )

    def value(self, *, stored: bool) -> str:
        """Return the expression for the list after the run."""
        brought = f"coalesce({self.merged}.items, {self.joined})" if self.can_merge else f"nullif({self.joined}, [])"
        return f"case when patch.{self.name} is null then stored.{self.name} else {brought} end" if stored else brought

    @property
    def _identifier(self) -> str:
        """The quoted property that names an item."""
        return quote_identifier(str(self.prop.item_identifier and self.prop.item_identifier.name))

    @property
    def repeats(self) -> str:
        """The condition that rows bring an item of an event more than once; looked at only where items are merged."""
        ids = f"list_transform(patch.{self.name}, lambda item: item.{self._identifier})"
        # A case, as `and` would look at the lists of all events.
        return f"case when {self.merged}.items is null then false else list_unique({ids}) < len(patch.{self.name}) end"

    @property
    def repeated_step(self) -> Step:
        """The step that counts, by file, the items that come again in one event: of each the last counts."""
        sql = f"""insert into event_outcome by name
select _file as file, sum(times - 1)::bigint as repeated
from (
    select _file, event_id, _item.{self._identifier} as _id, count(*) as times
    from (
        select r._file, r.event_id, unnest({self.alone}) as _item
        from event_row r
        where r.event_id in (select event_id from changed_event where _repeats)
    )
    group by all
    having times > 1
)
group by _file"""
        return Step("event_outcome", sql)

    def merged_sql(self, table: str) -> str:
        """Return the query that merges items of one identifier: of each property the last value counts.

        Its only rows are events in whose lists an item occurs more than once.
        """
        identifier = self._identifier
        fields = [quote_identifier(name) for name in item_columns(self.stored_type) or {}]
        folds = ", ".join(f"arg_max(_item.{name}, _place) as {name}" for name in fields if name != identifier)
        item = ", ".join(f"{quote_literal(name[1:-1])}: {name}" for name in fields)
        ids = f"list_transform(_items, lambda item: item.{identifier})"
        join = f"left join {table} stored using (event_id)" if self.is_held else ""
        return f"""select event_id,
    list_transform(
        list_sort(list({{place: _first, held: {{{item}}}}})), lambda each: each.held
    )::{self.stored_type} as items
from (
    select event_id, _item.{identifier} as {identifier}, min(_place) as _first{", " if folds else ""}{folds}
    from (
        select event_id, unnest(_items) as _item, generate_subscripts(_items, 1) as _place
        from (
            select patch.event_id, {self.joined} as _items
            from event_patch patch
            {join}
            where patch.{self.name} is not null
        )
        where list_unique({ids}) < len(_items)
    )
    group by event_id, _item.{identifier}
)
group by event_id"""


def nested_lists(
    session: Session, staged: Iterable[StagedEvent], table: str, columns: Mapping[str, str]
) -> Iterator[NestedList]:
    """Yield the nested lists of one type that rows fill; `columns` are those of its table, with their SQL types."""
    every: dict[str, list[StagedItems]] = {}
    for items in (items for event in staged for items in event.items):
        every.setdefault(items.prop.name, []).append(items)
    for name, parts in every.items():
        by_row = all(items.field is None for items in parts)
        is_held = session.value(f"select exists (from {table} where {quote_identifier(name)} is not null)")
        yield NestedList(parts[0].prop, by_row, columns[name], bool(is_held))
