"""Keeps the columns of `profile` in step with the declared properties."""

from collections.abc import Mapping
from dataclasses import dataclass

from cdp_sync.errors import PropertyTypeChanged
from cdp_sync.model import Profiles, Property
from cdp_sync.quoting import quote_identifier
from cdp_sync.warehouse.session import Session


def sync_properties(session: Session, profiles: Profiles) -> None:
    """Add the columns of new properties and cover newly declared identifiers.

    A property that is no longer declared keeps its column and its values.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column; nothing is changed then.
    """
    columns = profile_columns(session)
    check_types(profiles, columns)
    session.execute("begin")
    for prop in profiles.every:
        if prop.name not in columns:
            session.execute(f"alter table warehouse.profile add column {quote_identifier(prop.name)} {prop.sql_type}")
    _sync_identifiers(session, profiles)
    session.execute("commit")


def profile_columns(session: Session) -> dict[str, str]:
    """Return the columns of `profile` and their SQL types."""
    query = "select name, type from pragma_table_info('warehouse.profile')"
    return dict(session.rows(query))


def check_types(profiles: Profiles, columns: Mapping[str, str]) -> None:
    """Make sure that stored columns, as `profile_columns` returns them, have the declared types.

    Raises:
        PropertyTypeChanged: A declared type differs from that of the column; where several do, all are named.
    """
    problems = type_problems(profiles, columns)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise PropertyTypeChanged("\n".join(map(str, problems)))


def type_problems(profiles: Profiles, columns: Mapping[str, str]) -> list[PropertyTypeChanged]:
    """Return an error for each property whose declared type differs from that of its column."""
    return [
        PropertyTypeChanged(
            f"Property {prop.name!r} is stored as {found} and declared as {prop.sql_type} ({prop.type}).",
            needed="Stored and declared type must be the same.",
            remedy=(
                "Declare the stored type, choose a new name for the property, or convert the column yourself: "
                f"alter table profile alter {quote_identifier(prop.name)} type {prop.sql_type};"
            ),
        )
        for prop in profiles.every
        if (found := columns.get(prop.name, prop.sql_type)) != prop.sql_type
    ]


def _sync_identifiers(session: Session, profiles: Profiles) -> None:
    noted = dict(session.rows("select property, coalesce(domains_in_ascii, false) from warehouse.identifier_property"))
    declared = {prop.name: prop for prop in profiles.identifiers}
    addresses = {name for name, prop in declared.items() if prop.type == "email"}
    as_before = {name for name in addresses if noted.get(name) is False}
    outdated = (noted.keys() - declared.keys()) | as_before
    missing = declared.keys() - (noted.keys() - outdated)
    for name in outdated:
        session.execute("delete from warehouse.profile_identifier where property = ?", [name])
        session.execute("delete from warehouse.identifier_property where property = ?", [name])
    for name in missing:
        if name in addresses:
            _put_domains_in_ascii(session, declared[name])
        value = quote_identifier(name)
        each = f"unnest({value})" if declared[name].multiple else value
        session.execute(
            f"""insert into warehouse.profile_identifier
            select ?, identifier::text, profile_id
            from (select {each} as identifier, profile_id from warehouse.live_profile)
            where identifier is not null""",
            [name],
        )
        session.execute("insert into warehouse.identifier_property values (?, ?)", [name, name in addresses])
    if (outdated or missing) and session.value("select count(*) from warehouse.profile"):
        session.execute("update warehouse.revision set number = number + 1")


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
    `repoint`, `renaming`, the history, and of the ledger `identifier_property`, `imported_profile` and the exports'.

    Args:
        table: Its table in the warehouse.
        key: The column of a record's id, in the table and in that of its identifiers.
        identifiers: The properties that name one record.
        properties: All properties.
    """

    table: str
    key: str
    identifiers: tuple[Property, ...]
    properties: tuple[Property, ...]

    @property
    def stored(self) -> str:
        """The table, as SQL names it."""
        return f"warehouse.{self.table}"

    @property
    def live(self) -> str:
        """The view of the records that were not merged into another one, as SQL names it."""
        return f"warehouse.live_{self.table}"

    @property
    def identifier_table(self) -> str:
        """The table with the identifiers of all live records, as SQL names it."""
        return f"{self.stored}_identifier"

    @property
    def names(self) -> dict[str, str]:
        """What stands in fixed statements for the entity."""
        return {"table": self.stored, "live": self.live, "identifiers": self.identifier_table, "key": self.key}


def profile_entity(profiles: Profiles) -> Entity:
    """Return the entity that people are."""
    return Entity("profile", "profile_id", tuple(profiles.identifiers), tuple(profiles.every))
