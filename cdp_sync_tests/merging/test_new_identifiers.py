"""A property that becomes an identifier while profiles are merged: rows find each part by what it has by itself."""

from pathlib import Path

from cdp_sync.model import Profiles
from cdp_sync_tests.trail.importer import Importer, goal

CARD = {"name": "card"}
PHONES = {"name": "phones", "multiple": True}


def model(*more: dict[str, object]) -> Profiles:
    """Return a profile model with a rule over addresses, and these properties besides."""
    own = [
        {"name": "number", "identifier": True},
        {"name": "email", "type": "email", "identifier": True},
        {"name": "points", "type": "number", "merge": "sum"},
    ]
    return Profiles.model_validate({"properties": [*own, *more], "merge_rules": [{"property": "email"}]})


def test_parts_are_found_by_an_identifier_that_is_declared_later(tmp_path: Path) -> None:
    """Each part of a merged profile is found by its own values; the live one shows those of its columns alone."""
    link = [{"field": "Number", "property": "number"}]
    fields = {"Email": "email", "Card": "card", "Phone": "phones"}
    mapped = [{"field": field, "property": name} for field, name in fields.items()]
    first = Importer(tmp_path / "first", goal(link=link, map=mapped), model(CARD, PHONES))
    rows = "Number,Email,Card,Phone\nn1,a@x.nl,c1,1111\nn2,a@x.nl,c2,2222\nn3,b@x.nl,,3333\nn4,b@x.nl,c4,\n"
    assert first.deliver({"/1.csv": rows}).counters.profiles_merged == 2

    declared = model(CARD | {"identifier": True}, PHONES | {"identifier": True})
    points = [{"field": "Points", "property": "points", "mode": "sum"}]
    by_card = goal(link=[{"field": "Card", "property": "card"}], map=points)
    by_phone = goal(link=[{"field": "Phone", "property": "phones"}], map=points)
    cards = Importer(tmp_path / "cards", by_card, declared, "cards", first.warehouse)
    phones = Importer(tmp_path / "phones", by_phone, declared, "phones", first.warehouse)
    assert cards.deliver({"/1.csv": "Card,Points\nc1,1\nc2,2\nc4,4\n"}).counters.profiles_created == 0
    assert phones.deliver({"/1.csv": "Phone,Points\n1111,10\n2222,20\n3333,30\n"}).counters.profiles_created == 0
    own = dict(cards.rows("select number, points from warehouse.profile_by_itself"))
    assert own == {"n1": 11, "n2": 22, "n3": 30, "n4": 4}
    assert dict(cards.rows("select number, points from warehouse.live_profile")) == {"n2": 33, "n4": 34}
    shown = cards.rows(
        "select property, value from warehouse.profile_identifier where property in ('card', 'phones') order by all"
    )
    assert shown == [("card", "c2"), ("card", "c4"), ("phones", "1111"), ("phones", "2222"), ("phones", "3333")]
