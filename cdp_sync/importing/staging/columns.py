"""The columns of the staging table: what a row of a file becomes before it meets a profile.

========================  ==================================================================================
``link_<n>``              the n-th link's value as `profile_identifier` would hold it; a list for `multiple`
``value_<property>``      what the row's mapped cells say for the property, in the property's type
``clear_<property>``      `set_or_clear` only: the cell was there and empty
``event<n>_…``            the events of the row, see `event_columns`
``row_hash``              digest of the linked and mapped cells
``source_hash``           with `processors` only: digest of the fields that they are made of
``previous_hash``         the same of the fields that the previous import of the file was made from
``row_key``               with `row_key` only: digest of the key's cells; null where they are all empty
``source_cells``          of a strict goal: the row's cells as delivered, in the order of the columns learned
``refused``               of a strict goal: why the row is refused; null where it is not
``waiting_cells``         the row's cells by field, where unmatched rows wait for a profile
``invalid``               the cells that did not convert, with field and reason; null where all did
``doubtful``              the fields with a local time that clocks skipped or showed twice; null where there is none
========================  ==================================================================================
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from cdp_sync.errors import FileRejected
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.staging.event_columns import StagedEvent, staged_event
from cdp_sync.importing.staging.value_columns import StagedLink, StagedValue
from cdp_sync.model import ImportGoal, Mapping, Profiles, Property, Records, counted
from cdp_sync.model.column_name import shown
from cdp_sync.model.property import stored_property
from cdp_sync.warehouse import Entity, Session

INVALID_TYPE = "STRUCT(field VARCHAR, value VARCHAR, reason VARCHAR)[]"


@dataclass(frozen=True)
class Columns:
    """All columns of a goal's staging table."""

    links: tuple[StagedLink, ...]
    values: tuple[StagedValue, ...]
    entity: Entity
    """What the rows become."""
    consent: tuple[Property, ...] = ()
    """Where objectives are declared, the properties of `CONSENT_PROPERTIES`, filled by the goal or not."""
    keyed: bool = False
    """Rows have a key."""
    waits: bool = False
    """Unmatched rows wait for a profile."""
    strict: bool = False
    """Files have to be like one that was learned, and refused rows are handed back."""
    processed: bool = False
    """Processors change or drop rows."""
    events: tuple[StagedEvent, ...] = ()
    """The events that a row may hold."""
    events_alone: bool = False
    """A row that holds no event is for nothing."""

    @property
    def identity(self) -> list[tuple[str, str]]:
        """Names and types of those that say what a row is, whether its cells are converted or not."""
        hashes = [("row_hash", "UUID"), ("previous_hash", "UUID"), *([("row_key", "UUID")] if self.keyed else [])]
        if self.processed:
            hashes.append(("source_hash", "UUID"))
        if self.strict:
            hashes += [("source_cells", "VARCHAR[]"), ("refused", "VARCHAR")]
        if self.waits:
            hashes.append(("waiting_cells", "STRUCT(field VARCHAR, value VARCHAR)[]"))
        return [("file", "INTEGER"), ("part", "INTEGER"), *hashes]

    @property
    def declared(self) -> list[tuple[str, str]]:
        """Names and types of all."""
        links = [(link.column, "VARCHAR[]" if link.prop.multiple else "VARCHAR") for link in self.links]
        values = [(value.column, value.sql_type) for value in self.values]
        clears = [(value.clear, "BOOLEAN") for value in self.values if value.mode == "set_or_clear"]
        remarks = [("invalid", INVALID_TYPE), ("doubtful", "VARCHAR[]")]
        events = [column for event in self.events for column in event.columns]
        return [*self.identity, *links, *values, *clears, *events, *remarks]

    @property
    def is_usable(self) -> str | None:
        """The condition that a row is for anything; None where every row is."""
        if not self.events_alone:
            return None
        return f"({' or '.join(f'({event.is_usable})' for event in self.events)})"

    @property
    def value_of(self) -> dict[str, StagedValue]:
        """What the goal fills, by property."""
        return {value.prop.name: value for value in self.values}

    @property
    def sums(self) -> tuple[StagedValue, ...]:
        """The properties that are summed into."""
        return tuple(value for value in self.values if value.mode == "sum")

    @property
    def adds(self) -> tuple[StagedValue, ...]:
        """The lists that are added to."""
        return tuple(value for value in self.values if value.mode == "add")

    @property
    def has_one_link_value(self) -> bool:
        """Whether every row has at most one link value."""
        return len(self.links) == 1 and not self.links[0].prop.multiple

    @property
    def linked_properties(self) -> tuple[Property, ...]:
        """The identifier properties of the links, each once."""
        return tuple({link.prop.name: link.prop for link in self.links}.values())

    @property
    def consent_lists(self) -> tuple[Property, ...]:
        """The lists of consented and refused objectives, where the goal fills one of them: it may change both."""
        lists = self.consent[1:]
        return lists if any(prop.name in self.value_of for prop in lists) else ()


def plan_columns(
    goal: ImportGoal, profiles: Profiles, detected: Iterable[str] = (), typed: Iterable[Property] = ()
) -> Columns:
    """Return the staging columns of a goal, given the fields that nothing maps but were found.

    The properties of these are text, but for those in `typed`.
    """
    records = goal.records(profiles)
    by_name = {prop.name: prop for prop in typed} | records.by_name
    links = tuple(StagedLink(number, link.field, by_name[link.property]) for number, link in enumerate(goal.link))
    mapped: dict[str, list[Mapping]] = {}
    for mapping in (*goal.map, *detected_mappings(goal, records, detected)):
        mapped.setdefault(mapping.property, []).append(mapping)
    values = tuple(
        StagedValue(by_name.get(name) or Property(name=name), found[0].mode, tuple(mapping.field for mapping in found))
        for name, found in mapped.items()
    )
    return Columns(
        links,
        values,
        Entity(records),
        records.consent,
        keyed=bool(goal.row_key),
        waits=goal.keeps_unmatched,
        strict=goal.expected is not None,
        processed=bool(goal.processors),
        events=tuple(
            staged_event(number, event, profiles.event[event.type]) for number, event in enumerate(goal.events)
        ),
        events_alone=bool(goal.events) and not (goal.map or goal.map_detected),
    )


def staged_columns(session: Session, run: ImportRun) -> Columns:
    """Return the staging columns of a run, with the fields detected in its files."""
    found = session.rows(
        "select distinct unnest(fields) from staging.file where state in ('staged', 'retried') order by 1"
    )
    return plan_columns(run.goal, run.profiles, [field for (field,) in found], detected_properties(session))


def with_merges(session: Session, columns: Columns) -> Columns:
    """Return the columns of an entity that knows whether some of its records are merged."""
    if columns.entity.is_person and session.value("select exists (from warehouse.own_profile)"):
        return replace(columns, entity=replace(columns.entity, merged=True))
    return columns


def detected_properties(session: Session) -> list[Property]:
    """Return the detected properties whose types the source knows."""
    return [stored_property(*row) for row in session.rows("select property, sql_type from staging.detected_type")]


def detected_mappings(goal: ImportGoal, records: Records, columns: Iterable[str]) -> list[Mapping]:
    """Return a mapping for every named column that nothing links or maps, if the goal asks for that.

    A property is filled by one field: the declared one, or else the first that was found.

    Raises:
        FileRejected: There are more of them than `max_columns`: each becomes a property.
    """
    if goal.map_detected is None:
        return []
    fields = _unmapped(goal, columns)
    if len(fields) > goal.map_detected.max_columns:
        raise FileRejected(
            f"The header has {counted(len(fields), 'column')} that nothing maps.",
            needed=f"At most {goal.map_detected.max_columns:,} are allowed, `max_columns` of `map_detected`.",
            remedy="If they are meant, declare a larger number; if not, check `separator` and `header`.",
        )
    found: dict[str, str] = {}
    for field in fields:
        found.setdefault(property_name(goal.map_detected.prefix, field, records.reserved), field)
    taken = {mapping.property for mapping in goal.map}
    return [Mapping(field=field, property=name) for name, field in found.items() if name not in taken]


def detected_warnings(goal: ImportGoal, profiles: Profiles, columns: Iterable[str]) -> list[str]:
    """Return what an author should know of detected fields: those that fill a declared property, those left out."""
    columns, records = list(columns), goal.records(profiles)
    mapped = {mapping.field: mapping.property for mapping in detected_mappings(goal, records, columns)}
    existing = ((field, name) for field, name in mapped.items() if name in records.by_name)
    fill = [f"Existing property: the detected field {shown(field)} fills {name!r}." for field, name in existing]
    left = [field for field in _unmapped(goal, columns) if field not in mapped] if goal.map_detected else []
    return fill + [
        f"The detected field {shown(field)} is left out: its property is filled by another." for field in left
    ]


def _unmapped(goal: ImportGoal, columns: Iterable[str]) -> list[str]:
    mapped = frozenset(goal.fields)
    return [column for column in dict.fromkeys(columns) if column and column not in mapped]


def property_name(prefix: str, field: str, reserved: Collection[str] = ()) -> str:
    """Return the name of a detected field's property: the prefix, and the field's name in lower case and underscores.

    >>> property_name("shop_", "First Name")
    'shop_first_name'
    """
    name = prefix + re.sub(r"[^a-z0-9]+", "_", field.lower()).strip("_")
    return name if re.match("[a-z]", name) and name not in reserved else f"f_{name.strip('_')}"
