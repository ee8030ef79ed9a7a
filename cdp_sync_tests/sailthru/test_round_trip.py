"""The official client and the product read each other's values, and repeated exchanges change nothing."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sailthru.sailthru_client import SailthruClient

from cdp_sync.connectors.sailthru.goals import PROFILE_ID
from cdp_sync.sandbox.sailthru import SailthruSandbox
from cdp_sync_tests.generated import examples
from cdp_sync_tests.sailthru.exchange import SECRETS, TYPES, Exchange, column, lists_goal, sailthru, users_goal

VARS = {f"{kind}_{many}": None for kind in TYPES for many in ("one", "list")}
FIELDS = [column(name) for name in VARS]
BY_EMAIL = [column("email")]
WRITTEN: dict[str, Any] = {
    "text_one": 'Zoë "Zo", O\'Hara\nand 😀\r\nback\\slash ',
    "number_one": -7,
    "decimal_one": 2.5,
    "date_one": "1969-02-01",
    "datetime_one": "1969-12-31T23:59:59.123Z",
    "boolean_one": True,
    "text_list": ["a b", 'c"d', "é"],
    "number_list": [3, -4],
    "decimal_list": [0.25, 4],
    "date_list": ["2020-02-29", "1900-01-01"],
    "datetime_list": ["2021-07-13T15:22:00.000Z"],
    "boolean_list": [True, False],
}
"""Values that a user of the official client would write."""
AS_EXPORTED = WRITTEN | {"boolean_one": "true", "boolean_list": ["true", "false"]}
"""By the product page, every value other than an array, number, date or time is text."""


@pytest.fixture
def box() -> Iterator[SailthruSandbox]:
    """A Sailthru sandbox without users."""
    with sailthru() as served:
        yield served


@pytest.fixture
def client(box: SailthruSandbox) -> SailthruClient:
    """The official client."""
    return SailthruClient(SECRETS["KEY"], SECRETS["SECRET"], api_url=box.url)


def read(client: SailthruClient, email: str) -> dict[str, Any]:
    """Return a user as the official client reads it."""
    fields = {"keys": 1, "vars": 1, "lists": 1}
    answer = client.api_get("user", {"id": email, "key": "email", "fields": fields})
    assert answer.is_ok()
    body: dict[str, Any] = answer.get_body()
    return body


def test_both_agree_on_every_type(client: SailthruClient, box: SailthruSandbox, tmp_path: Path) -> None:
    """The product imports the official client's values, and that client reads the product's exports."""
    keys = {"extid": "A-1", "sms": "+15550100"}
    assert client.save_user(
        "Zoe@Example.com", {"vars": WRITTEN, "lists": {"Main": 1}, "keys": keys}
    ).is_ok()  # fmt: skip
    crm = Exchange(tmp_path / "crm", goal=users_goal(map=FIELDS, decimals="number", lists=["Back"]), box=box)
    goal = lists_goal(link=BY_EMAIL, map=[*FIELDS, column("customer", "extid")], list_name_property=None)
    report = crm.import_list(goal)
    assert (report.counters.profiles_created, report.counters.values_invalid) == (1, 0)
    ((email, sid, extid),) = crm.rows(f"select email, {PROFILE_ID}, customer from warehouse.profile")
    user = read(client, "zoe@example.com")
    assert (email, sid, extid) == ("zoe@example.com", user["keys"]["sid"], "A-1")
    assert user["vars"] == WRITTEN
    crm.run()
    after = read(client, "zoe@example.com")
    assert after["vars"] == AS_EXPORTED
    assert after["keys"] == user["keys"]
    assert sorted(after["lists"]) == ["Back", "Main"]
    crm.change("update warehouse.profile set text_one = null, number_list = null")
    crm.run()
    emptied = read(client, "zoe@example.com")["vars"]
    assert (emptied["text_one"], emptied["number_list"], emptied["number_one"]) == (None, None, -7)


PIECES = ("a", "É", "😀", " ", ",", '"', "'", "\n", "\r\n", "\r", "\\", "0", "\t", "<", ";", "null", "\ufeff")
texts = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
words = st.lists(st.sampled_from([piece for piece in PIECES if piece != ","]), min_size=1, max_size=4)
instants = st.datetimes(datetime(1000, 1, 1)).map(  # noqa: DTZ001 - the text adds it
    lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
)
ONE: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "number": st.integers(-(2**63), 2**63 - 1),
    "decimal": st.integers(-(10**12), 10**12).map(lambda number: number / 10_000),
    "date": st.dates().map(str),
    "datetime": instants,
    "boolean": st.booleans(),
}
SEVERAL = ONE | {"text": words.map("".join).filter(lambda text: text.strip() == text != "")}
users = st.fixed_dictionaries(
    {},
    optional={
        f"{kind}_{many}": st.none() | (ONE[kind] if many == "one" else st.lists(SEVERAL[kind], max_size=3, unique=True))
        for kind in TYPES
        for many in ("one", "list")
    },
)


@examples(3)
@given(everybody=st.lists(users, min_size=1, max_size=10), clear=st.booleans(), creates=st.booleans())
@example(everybody=[WRITTEN, {}, {"text_one": ""}, {"text_one": " ", "text_list": []}], clear=False, creates=True)
def test_a_second_round_trip_changes_nothing(
    everybody: list[dict[str, Any]], *, clear: bool, creates: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A second round trip changes no profile and posts no user, for any values."""
    with sailthru() as box:
        box.clear_emails = clear
        box.account.add_users(
            {"email": f"p{number}@example.com", "vars": each, "lists": ["Main"]}
            for number, each in enumerate(everybody)
        )
        goal = users_goal(map=FIELDS, decimals="number", create_users=creates)
        crm = Exchange(tmp_path_factory.mktemp("crm"), goal=goal, box=box)
        into = lists_goal(link=[column(PROFILE_ID, "sid")], map=[*FIELDS, column("email")])
        assert crm.import_list(into).counters.profiles_created == len(everybody)
        assert crm.run().counters.profiles_not_deliverable == 0
        there = {sid: dict(user.vars) for sid, user in box.account.users.items()}
        again = crm.import_list(into).counters
        assert (again.profiles_created, again.profiles_updated) == (0, 0)
        posted = crm.posted()
        assert crm.run().counters.profiles_written == 0
        assert crm.posted() == posted
        assert {sid: user.vars for sid, user in box.account.users.items()} == there
