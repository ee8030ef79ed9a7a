"""Keeps the columns of `profile`, and a table for each type of groups, in step with the declared properties."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cdp_sync.errors import PropertyTypeChanged
from cdp_sync.model import GROUP_ID, GroupType, Profiles, Property, Records
from cdp_sync.quoting import quote_identifier
from cdp_sync.warehouse.clock import touch_everybody
from cdp_sync.warehouse.session import Session


def sync_properties(session: Session, profiles: Profiles) -> None:
    """Add the columns of new properties and cover newly declared identifiers.

    A property that is no longer declared keeps its column and its values.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column; nothing is changed then.
    """
    columns = profile_columns(session)
    check_types(profiles, columns)
    session.begin()
    _add_columns(session, profiles, columns)
    _sync_identifiers(session, profiles)
    session.commit()


def sync_groups(session: Session, group: GroupType) -> None:
    """Make the tables of a new type of groups, and add the columns of new properties.

    A type or property that is no longer declared keeps its values.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column; nothing is changed then.
    """
    columns = stored_columns(session, group.table)
    check_types(group, columns)
    session.begin()
    if not columns:
        first = (
            f"{group.key} uuid",
            f"{GROUP_ID} text",
            *(f"{name} timestamptz" for name in ("created_at", "updated_at")),
        )
        session.execute(f"create table warehouse.{group.table} ({', '.join(first)}, _created_by integer)")
        session.execute(
            f"create table warehouse.{group.table}_identifier (property text, value text, {group.key} uuid)"
        )
        columns = {GROUP_ID: "VARCHAR"}
    _add_columns(session, group, columns)
    session.commit()


def profile_columns(session: Session) -> dict[str, str]:
    """Return the columns of `profile` and their SQL types."""
    return stored_columns(session, "profile")


def stored_columns(session: Session, table: str) -> dict[str, str]:
    """Return the columns of a table of the warehouse and their SQL types, in order; none without such a table."""
    query = """
        select column_name, data_type
        from duckdb_columns()
        where database_name = 'warehouse' and schema_name = 'main' and table_name = ?
        order by column_index"""
    return dict(session.rows(query, [table]))


def check_types(records: Records, columns: Mapping[str, str]) -> None:
    """Make sure that stored columns, as `stored_columns` returns them, have the declared types.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column; where several do, all are named.
    """
    problems = type_problems(records, columns)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise PropertyTypeChanged("\n".join(map(str, problems)))


def type_problems(
    records: Records, columns: Mapping[str, str], properties: Iterable[Property] | None = None
) -> list[PropertyTypeChanged]:
    """Return an error for each property, or each of these, whose declared type differs from that of its column."""
    of = f" of the group {records.name!r}" if isinstance(records, GroupType) else ""
    return [
        type_changed(f"{prop.name!r}{of}", found, f"{prop.sql_type} ({prop.type})", records.table, prop)
        for prop in (records.every if properties is None else properties)
        if (found := columns.get(prop.name, prop.sql_type)) != prop.sql_type
    ]


def all_type_problems(session: Session, profiles: Profiles) -> list[PropertyTypeChanged]:
    """Return an error for each property, of people or groups, whose declared type differs from that of its column."""
    every: tuple[Records, ...] = (profiles, *profiles.group_types)
    return [problem for each in every for problem in type_problems(each, stored_columns(session, each.table))]


def type_changed(
    named: str, found: str, declared: str, table: str, prop: Property, *, column: str = ""
) -> PropertyTypeChanged:
    """Return the error about a property whose declared type differs from that of its column in a table.

    `column` is the type to convert the column to, where it is not that of the property.
    """
    tables = (table, "own_profile") if table == "profile" else (table,)
    converted = "; ".join(_conversion(each, prop.name, column or prop.sql_type) for each in tables)
    return PropertyTypeChanged(
        f"Property {named} is stored as {found} and declared as {declared}.",
        needed="Stored and declared type must be the same.",
        remedy=(
            f"Declare the stored type, choose a new name for the property, or convert the column yourself: {converted};"
        ),
    )


def _conversion(table: str, name: str, kind: str) -> str:
    """Return the statements that convert a column: one by one, as a lake only widens types where they are."""
    old, new = quote_identifier(name), quote_identifier(f"{name}_converted")
    return (
        f"alter table {table} add column {new} {kind}; update {table} set {new} = {old}::{kind}; "
        f"alter table {table} drop column {old}; alter table {table} rename column {new} to {old}"
    )


def _add_columns(session: Session, records: Records, columns: Mapping[str, str]) -> None:
    tables = (records.table, "own_profile") if isinstance(records, Profiles) else (records.table,)
    for prop in records.every:
        if prop.name not in columns:
            for table in tables:
                name = quote_identifier(prop.name)
                session.execute(f"alter table warehouse.{table} add column {name} {prop.sql_type}")


def _sync_identifiers(session: Session, profiles: Profiles) -> None:
    noted = dict(session.rows("select property, coalesce(domains_in_ascii, false) from warehouse.identifier_property"))
    declared = {prop.name: prop for prop in profiles.identifiers}
    addresses = {name for name, prop in declared.items() if prop.type == "email"}
    as_before = {name for name in addresses if noted.get(name) is False}
    outdated = (noted.keys() - declared.keys()) | as_before
    missing = declared.keys() - (noted.keys() - outdated)
    for name in outdated:
        for table in ("profile_identifier", "own_identifier", "lent_identifier"):
            session.execute(f"delete from warehouse.{table} where property = ?", [name])
        session.execute("delete from warehouse.identifier_property where property = ?", [name])
    for name in missing:
        if name in addresses:
            _put_domains_in_ascii(session, declared[name])
        value = quote_identifier(name)
        each = f"unnest({value})" if declared[name].multiple else value
        session.execute(
            f"""insert into warehouse.profile_identifier (property, value, profile_id)
            select ?, identifier::text, profile_id
            from (select {each} as identifier, profile_id from warehouse.live_profile)
            where identifier is not null
            order by identifier::text""",
            [name],
        )
        _note_own_identifiers(session, name, each)
        session.execute("insert into warehouse.identifier_property values (?, ?)", [name, name in addresses])
    if (outdated or missing) and session.value("select count(*) from warehouse.profile"):
        touch_everybody(session, datetime.now(UTC))
        session.execute("update warehouse.revision set number = number + 1")


def _note_own_identifiers(session: Session, name: str, each: str) -> None:
    """Note which identifiers of a property merged profiles have by themselves; `each` is the expression for one."""
    own = f"""(
        select ? as property, identifier::text as value, profile_id
        from (select {each} as identifier, profile_id from warehouse.merged_profile)
        where identifier is not null
    )"""
    session.execute(
        f"""insert into warehouse.lent_identifier
        from (
            from warehouse.profile_identifier
            where property = ? and profile_id in (select profile_id from warehouse.own_profile)
        )
        anti join {own} using (property, value, profile_id)""",
        [name, name],
    )
    session.execute(
        f"""insert into warehouse.own_identifier
        from {own} anti join warehouse.profile_identifier using (property, value, profile_id)""",
        [name],
    )


def _put_domains_in_ascii(session: Session, prop: Property) -> None:
    """Write stored addresses as imports do by now; a domain that is none stays as it is."""
    session.define_functions()
    value = quote_identifier(prop.name)
    if prop.multiple:
        each = f"list_transform({value}, lambda address: {_with_ascii_domain('address')})"
        now = f"list_transform([{each}], lambda v: list_filter(v, lambda x, i: list_position(v, x) = i))[1]"
        text = f"array_to_string({value}, '')"
    else:
        now, text = _with_ascii_domain(value), value
    session.execute(f"update warehouse.profile set {value} = {now} where strlen({text}) <> length({text})")


def _with_ascii_domain(address: str) -> str:
    local, domain = (f"split_part({address}, '@', {number})" for number in (1, 2))
    return f"""case when regexp_full_match({address}, '[^@]*(@[[:ascii:]]*)?') then {address}
        else {local} || '@' || coalesce(ascii_domain({domain}), {domain}) end"""


@dataclass(frozen=True)
class Entity:
    """A kind of record that the warehouse keeps one of for each person, or each other thing that rows name.

    Statements that link, upsert and delete its records take table and key from here. Intermediate tables call the key
    of any record `profile_id`. These are about profiles alone: `sync_properties`, segments and exports, enriching,
    merging, `renaming`, the history, and of the ledger `identifier_property`, `imported_profile` and the exports'.

    Args:
        records: What is declared of them.
        merged: Some profiles are merged, so that a row may name one that a live one shows.
    """

    records: Records
    merged: bool = False

    @property
    def is_person(self) -> bool:
        """Whether it is a profile. The history notes their changes, and connections count those they exchange."""
        return isinstance(self.records, Profiles)

    @property
    def key(self) -> str:
        """The column of a record's id, in the table and in that of its identifiers."""
        return self.records.key

    @property
    def stored(self) -> str:
        """The table, as SQL names it."""
        return f"warehouse.{self.records.table}"

    @property
    def by_itself(self) -> str:
        """The records with what each has by itself, merged or not, as SQL names them."""
        return "warehouse.profile_by_itself" if self.merged else self.stored

    @property
    def live(self) -> str:
        """The records that were not merged into another one, as SQL names them; groups are not merged."""
        return "warehouse.live_profile" if self.is_person else self.stored

    @property
    def identifier_table(self) -> str:
        """The table with the identifiers of all live records, as SQL names it."""
        return f"{self.stored}_identifier"

    @property
    def linking_table(self) -> str:
        """The table with the identifiers by which rows find records, those of merged ones by themselves included."""
        return "warehouse.linking_identifier" if self.merged else self.identifier_table

    @property
    def names(self) -> dict[str, str]:
        """What stands in fixed statements for the entity."""
        shown = f"coalesce(profile.merged_into, profile.{self.key})"
        return {
            "table": self.stored,
            "live": self.live,
            "identifiers": self.linking_table,
            "key": self.key,
            "live_id": shown if self.is_person else f"profile.{self.key}",
        }
