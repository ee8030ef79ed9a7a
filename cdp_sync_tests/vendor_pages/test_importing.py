"""What the pages say of importing: modes, mappings, processors, new profiles, consent."""

from collections.abc import Iterator
from typing import Any

import pytest

from cdp_sync_tests.vendor_pages.account import CONSENT, PLATFORMS, Account, mapped, open_account

MODES: dict[str, tuple[str, str, object, object, object]] = {
    "set always overwrites": ("set", "text", "old", "new", "new"),
    "set of no value changes nothing": ("set", "text", "old", None, "old"),
    "set if empty writes where nothing is": ("set_if_empty", "text", None, "new", "new"),
    "set if empty keeps a value": ("set_if_empty", "text", "old", "new", "old"),
    "set or clear clears where there is no value": ("set_or_clear", "text", "old", None, None),
    "add keeps each value once": ("add", "list", "a;b", ["b", "c", "b"], ["a", "b", "c"]),
    "sum adds a number": ("sum", "number", 3, 2, 5),
    "sum takes an empty property as 0": ("sum", "number", None, 2, 2),
    "sum imports nothing but numbers": ("sum", "number", 3, "many", 3),
}
"""By sentence: the mode, what the property is, what it holds, what the user's field holds, and what follows."""
KINDS: dict[str, dict[str, Any]] = {"text": {}, "list": {"multiple": True}, "number": {"type": "number"}}
NAMES = {sentence: f"p{number}" for number, sentence in enumerate(MODES)}


@pytest.fixture(scope="module", params=PLATFORMS)
def imported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A profile with a property for each sentence, whose user is imported once; another user has all fields."""
    with open_account(request.param, tmp_path_factory.mktemp("modes")) as account:
        properties = account.exchange.profiles.model_dump(exclude_defaults=True)["properties"]
        account.declare(properties=[*properties, *({"name": NAMES[s], **KINDS[MODES[s][1]]} for s in MODES)])
        held = {NAMES[each]: str(held) for each, (_, _, held, *_) in MODES.items() if held is not None}
        account.hold(f"email,{','.join(held)}\nann@example.com,{','.join(held.values())}\n")
        fields = {NAMES[each]: given for each, (*_, given, _) in MODES.items() if given is not None}
        account.add("bob", **{NAMES[each]: "x" for each, (_, kind, *_) in MODES.items() if kind == "text"})
        account.add("ann", **fields, spare="s")
        account.bring(map=[mapped(NAMES[each], NAMES[each], mode) for each, (mode, *_) in MODES.items()])
        yield account


@pytest.mark.parametrize("sentence", MODES)
def test_modes_of_a_mapping(sentence: str, imported: Account) -> None:
    """The property holds what follows by the sentence."""
    *_, expected = MODES[sentence]
    query = f"select {NAMES[sentence]} from warehouse.profile where email = 'ann@example.com'"
    assert imported.rows(query) == [(expected,)]


def test_a_sum_of_what_is_no_number_is_in_the_quarantine(imported: Account) -> None:
    """The field is named, and the other values of the row land."""
    found = imported.rows("select field, value from warehouse.quarantine")
    assert found == [(NAMES["sum imports nothing but numbers"], "many")]


def test_fields_without_a_mapping_are_not_imported(imported: Account) -> None:
    """A field that no mapping names becomes no property."""
    query = "select column_name from information_schema.columns where table_name = 'profile'"
    names = {name for (name,) in imported.rows(query)}
    assert names > set(NAMES.values())
    assert "spare" not in names


def test_all_fields_are_mapped_at_once_with_a_prefix(account: Account) -> None:
    """Each detected field becomes a property of its name with the prefix."""
    account.add("ann", plan="pro", city="Bonn")
    account.bring(map=[], map_detected={"prefix": "crm_"})
    assert account.rows("select crm_plan, crm_city from warehouse.profile") == [("pro", "Bonn")]


def test_a_detected_field_that_fills_an_existing_property_is_warned_about(account: Account) -> None:
    """The warning says "Existing property", and names the field and the property."""
    account.add("ann", text_one="pro")
    (file,) = account.bring(map=[], map_detected={"prefix": ""}).files
    assert "Existing property: the detected field 'text_one' fills 'text_one'." in file.warnings
    assert account.rows("select text_one from warehouse.profile") == [("pro",)]


def test_rows_are_processed_before_they_are_matched(account: Account) -> None:
    """A corrected address matches the profile, a changed value is mapped, and a row that is filtered does not land."""
    account.hold("email,customer\nann@gmail.com,C1\n")
    account.add("ann", plan="PRO", address="ann@gmial.com")
    account.add("bob", plan="trial", address="bob@gmail.com")
    processors = [
        {"clean_email": {"field": "address", "correct_domains": True}},
        {"casing": {"field": "plan", "to": "lower"}},
        {"filter": {"field": "plan", "drop": "trial"}},
    ]
    link = [{"field": "address", "property": "email"}]
    report = account.bring(link=link, map=[mapped("plan", "text_one")], processors=processors)
    assert report.counters.rows_filtered == 1
    assert account.rows("select email, text_one, customer from warehouse.profile") == [("ann@gmail.com", "pro", "C1")]


@pytest.mark.parametrize("allowed", [True, False])
def test_new_profiles_are_created_where_that_is_allowed(allowed: bool, account: Account) -> None:
    """A user who matches a profile enriches it; another one becomes a profile only where that is allowed."""
    account.hold("email,customer\nann@example.com,C1\n")
    for name in ("ann", "bob"):
        account.add(name, plan=name)
    counters = account.bring(map=[mapped("plan", "text_one")], allow_new_profiles=allowed).counters
    assert (counters.profiles_created, counters.rows_unmatched) == ((1, 0) if allowed else (0, 1))
    found = account.rows("select text_one, customer from warehouse.profile order by text_one")
    assert found == [("ann", "C1"), ("bob", None)][: 2 if allowed else 1]


def test_only_people_who_consented_to_one_of_the_objectives_are_imported(account: Account) -> None:
    """Of a connection with two objectives, consent to either of them is enough."""
    account.declare(**CONSENT)
    account.exchange.objectives = ("news", "ads")
    for name, consented in {"ann": ["news"], "bob": ["ads", "survey"], "cat": ["survey"], "dan": []}.items():
        account.add(name, zone="GDPR", **({"consent": consented} if consented else {}))
    maps = [mapped("consent", "consented_objectives"), mapped("zone", "privacy_legislation")]
    assert account.bring(map=maps).counters.rows_without_consent == 2
    found = account.rows("select email from warehouse.profile order by email")
    assert found == [("ann@example.com",), ("bob@example.com",)]
