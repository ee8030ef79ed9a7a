"""The columns of `profile` follow the declared properties."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cdp_sync.errors import PropertyTypeChanged
from cdp_sync.model import Profiles
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.properties import profile_columns, sync_properties

EMAIL = {"name": "email", "type": "email", "identifier": True}
CODES = {"name": "codes", "type": "number", "multiple": True}
MERGED = "00000000-0000-0000-0000-00000000000f"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse with e-mail addresses and codes, two live profiles and a merged one."""
    made = Warehouse(tmp_path / "warehouse.duckdb")
    with made.open("write") as session:
        sync(session, EMAIL, CODES)
        session.execute(
            f"""
            insert into warehouse.profile (profile_id, merged_into, email, codes) values
                (uuid(), null, 'a@x.nl', [1, 2]), (uuid(), null, null, null), (uuid(), '{MERGED}', 'old@x.nl', [3]);
            insert into warehouse.profile_identifier
                select 'email', email, profile_id from warehouse.profile where email = 'a@x.nl'
            """
        )
    return made


def sync(session: Session, *properties: dict[str, Any]) -> None:
    """Declare these properties and update the tables."""
    sync_properties(session, Profiles.model_validate({"properties": properties}))


def identifiers(session: Session) -> Counter[tuple[str, str]]:
    """Return the rows of `profile_identifier` as property and value."""
    return Counter(session.rows("select property, value from warehouse.profile_identifier"))


def test_a_new_property_adds_its_column(warehouse: Warehouse) -> None:
    """A new property gets an empty column of its type, after the others."""
    with warehouse.open("write") as session:
        sync(session, EMAIL, CODES, {"name": "total", "type": "decimal", "precision": 9, "scale": 2})
        columns = profile_columns(session)
        assert list(columns)[-1] == "total"
        assert columns["total"] == "DECIMAL(9,2)"
        assert session.value("select count(total) from warehouse.profile") == 0


def test_a_property_no_longer_declared_keeps_its_values(warehouse: Warehouse) -> None:
    """A property that is no longer declared keeps its values."""
    with warehouse.open("write") as session:
        sync(session, EMAIL)
        sync(session, EMAIL, CODES)
        assert session.rows("select codes from warehouse.profile where email = 'a@x.nl'") == [([1, 2],)]


def test_a_changed_type_is_refused_with_a_remedy(warehouse: Warehouse) -> None:
    """A changed type is refused with the property, both types and a working statement."""
    with warehouse.open("write") as session:
        with pytest.raises(PropertyTypeChanged) as refused:
            sync(session, {"name": "added_before_the_problem"}, EMAIL, {**CODES, "type": "text"})
        message = str(refused.value)
        assert "'codes' is stored as BIGINT[] and declared as VARCHAR[] (text)" in message
        assert "Declare the stored type, choose a new name" in message
        statement = message.partition("convert the column yourself: ")[2]
        assert statement.startswith("alter table profile add column")
        session.execute("use warehouse").execute(statement)
        sync(session, EMAIL, {**CODES, "type": "text"})
        assert session.rows("select codes from profile where email = 'a@x.nl'") == [(["1", "2"],)]


def test_a_refused_declaration_changes_nothing(warehouse: Warehouse) -> None:
    """A refused declaration changes neither columns nor identifiers."""
    with warehouse.open("write") as session:
        before = profile_columns(session), identifiers(session)
        with pytest.raises(PropertyTypeChanged):
            sync(session, {"name": "another"}, {**EMAIL, "identifier": False}, {**CODES, "type": "date"})
        assert (profile_columns(session), identifiers(session)) == before


def test_a_new_identifier_is_filled_from_live_profiles(warehouse: Warehouse) -> None:
    """A property that becomes an identifier is indexed from the live profiles; lists are unnested."""
    with warehouse.open("write") as session:
        sync(session, EMAIL, {**CODES, "identifier": True})
        assert identifiers(session) == Counter([("email", "a@x.nl"), ("codes", "1"), ("codes", "2")])


def test_a_former_identifier_is_removed(warehouse: Warehouse) -> None:
    """A property that stops being an identifier is removed from the index and keeps its values."""
    with warehouse.open("write") as session:
        sync(session, EMAIL, {**CODES, "identifier": True})
        sync(session, {**EMAIL, "identifier": False}, {**CODES, "identifier": True})
        assert identifiers(session) == Counter([("codes", "1"), ("codes", "2")])
        assert session.value("select count(*) from warehouse.profile where email = 'a@x.nl'") == 1


def test_a_change_of_identifiers_increases_the_revision(warehouse: Warehouse) -> None:
    """The revision increases when identifiers change, and only then."""

    def revision(session: Session) -> int:
        return int(session.value("select number from warehouse.revision"))

    with warehouse.open("write") as session:
        first = revision(session)
        sync(session, EMAIL, CODES, {"name": "more"})
        assert revision(session) == first
        sync(session, EMAIL, {**CODES, "identifier": True})
        assert revision(session) > first


def test_stored_domains_are_converted_to_ascii_once(warehouse: Warehouse) -> None:
    """Stored e-mail domains are converted to ASCII once, since imports of a later version look them up in ASCII."""
    others = {"name": "others", "type": "email", "identifier": True, "multiple": True}
    before = ["jörg@bücher.example", "ann@shop.example", "ann@xn--bcher-kva.example", "ann@\u0300x.example", "nobody"]
    now = ["jörg@xn--bcher-kva.example", *before[1:]]
    with warehouse.open("write") as session:
        sync(session, EMAIL, CODES, others)
        for address in before:
            values = [address, ["ann@bücher.example", address]]
            session.execute("insert into warehouse.profile (profile_id, email, others) values (uuid(), ?, ?)", values)
        session.execute("update warehouse.identifier_property set domains_in_ascii = null")
        first = session.value("select number from warehouse.revision")
        sync(session, EMAIL, CODES, others)
        stored = session.rows("select email, others from warehouse.profile where others is not null order by rowid")
        assert [email for email, _ in stored] == now
        assert [many for _, many in stored] == [list(dict.fromkeys(["ann@xn--bcher-kva.example", it])) for it in now]
        assert identifiers(session)["email", "jörg@xn--bcher-kva.example"] == 1
        assert session.value("select number from warehouse.revision") > first
        session.execute("update warehouse.profile set email = 'jörg@bücher.example' where email = 'nobody'")
        sync(session, EMAIL, CODES, others)
        assert session.value("select count(*) from warehouse.profile where email = 'jörg@bücher.example'") == 1


def test_properties_may_have_names_of_sql_keywords(warehouse: Warehouse) -> None:
    """A property may be named `select` or `order`."""
    with warehouse.open("write") as session:
        sync(session, EMAIL, CODES, {"name": "select"}, {"name": "order", "type": "number", "identifier": True})
        assert {"select", "order"} <= profile_columns(session).keys()
