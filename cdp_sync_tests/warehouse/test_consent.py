"""Conditions on consent in SQL: their results, which are never null."""

from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from cdp_sync.model import Profiles
from cdp_sync.segments.consent import ConsentColumns, consent_is, may_process
from cdp_sync.warehouse import Session, Warehouse

PROFILES = Profiles.model_validate(
    {
        "properties": [{"name": "email", "type": "email"}],
        "zones": {"GDPR": "opt_in", "UK_GDPR": "opt_in", "CCPA": "opt_out", "NONE": "opt_out"},
        "objectives": [
            {"name": "news", "zones": ["GDPR", "CCPA"]},
            {"name": "offers", "zones": ["GDPR", "CCPA", "NONE"]},
            {"name": "calls", "zones": ["GDPR", "UK_GDPR", "CCPA", "NONE"]},
            {"name": "service"},
        ],
    }
)
COLUMNS = ConsentColumns("profile.privacy_legislation", "profile.consented_objectives", "profile.refused_objectives")

Names = Sequence[str] | None


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session without a warehouse; conditions are evaluated on constants."""
    with Warehouse(tmp_path_factory.mktemp("consent") / "warehouse.duckdb").open("none") as opened:
        yield opened


def evaluate(session: Session, condition: str, zone: str | None, consented: Names, refused: Names) -> bool | None:
    """Return the result of a condition for a profile with these values."""
    query = f"""
        select {condition}
        from (
            select $zone::varchar as privacy_legislation,
                $consented::varchar[] as consented_objectives,
                $refused::varchar[] as refused_objectives
        ) as profile"""
    found: bool | None = session.value(query, {"zone": zone, "consented": consented, "refused": refused})
    return found


@pytest.mark.parametrize(
    ("objectives", "zone", "consented", "refused", "expected"),
    [
        # no objectives: all profiles
        ([], "GDPR", None, ["news", "offers"], True),
        ([], None, None, None, True),
        # consent is not required in the zone
        (["news"], "UK_GDPR", None, None, True),
        (["news"], "UK_GDPR", None, ["news"], True),
        (["news"], "BRAZIL_LGPD", None, ["news"], True),
        (["news"], "NONE", None, ["news"], True),
        (["news"], None, None, ["news"], True),
        (["service"], "GDPR", None, ["service"], True),
        # one of several objectives needs no consent, which is enough
        (["news", "service"], "GDPR", None, None, True),
        (["news", "service"], "CCPA", None, ["news"], True),
        (["offers", "news"], None, None, ["offers"], True),
        # opt-in: one objective has consent
        (["news"], "GDPR", ["news"], None, True),
        (["news"], "GDPR", None, None, False),
        (["news"], "GDPR", [], [], False),
        (["news"], "GDPR", ["offers"], None, False),
        (["news"], "GDPR", None, ["news"], False),
        (["news"], "GDPR", ["news"], ["news"], False),
        (["news"], "GDPR", ["NEWS"], None, False),
        (["calls"], "GDPR", ["calls"], None, True),
        (["news", "offers"], "GDPR", ["offers"], None, True),
        (["news", "offers"], "GDPR", ["offers"], ["news"], True),
        (["news", "offers"], "GDPR", ["news"], ["news"], False),
        (["news", "offers"], "GDPR", None, None, False),
        # opt-out: one objective is not refused
        (["news"], "CCPA", None, None, True),
        (["news"], "CCPA", ["news"], None, True),
        (["news"], "CCPA", None, ["offers"], True),
        (["news"], "CCPA", None, ["news"], False),
        (["news"], "CCPA", ["news"], ["news"], False),
        (["news", "offers"], "CCPA", None, None, True),
        (["news", "offers"], "CCPA", ["news"], ["offers"], False),
        (["news", "offers"], "CCPA", None, ["news", "offers"], False),
        # no zone means NONE, here opt-out
        (["offers"], None, None, None, True),
        (["offers"], None, None, ["offers"], False),
        (["offers"], "NONE", None, ["offers"], False),
        (["calls", "offers"], None, ["calls"], ["offers"], False),
    ],
)
def test_which_profiles_a_connection_processes(
    objectives: Sequence[str], zone: str | None, consented: Names, refused: Names, expected: bool, session: Session
) -> None:
    """A connection processes the profiles of BlueConic's articles 247963 and 360002272314."""
    condition = may_process(objectives, PROFILES, COLUMNS)
    assert evaluate(session, condition, zone, consented, refused) is expected


STATES = ("consented", "consented_or_unneeded", "refused", "unknown", "refused_or_unknown")


@pytest.mark.parametrize(
    ("zone", "consented", "refused", "states"),
    [
        ("GDPR", ["news"], [], {"consented", "consented_or_unneeded"}),
        ("GDPR", [], ["news"], {"refused", "refused_or_unknown"}),
        ("GDPR", ["news"], ["news"], {"refused", "refused_or_unknown"}),
        ("GDPR", ["offers"], ["service"], {"unknown", "refused_or_unknown"}),
        ("GDPR", None, None, {"unknown", "refused_or_unknown"}),
        ("CCPA", None, None, {"unknown", "refused_or_unknown"}),
        ("UK_GDPR", None, None, {"consented_or_unneeded", "unknown", "refused_or_unknown"}),
        ("UK_GDPR", None, ["news"], {"consented_or_unneeded", "refused", "refused_or_unknown"}),
        (None, None, None, {"consented_or_unneeded", "unknown", "refused_or_unknown"}),
        (None, ["news"], None, {"consented", "consented_or_unneeded"}),
        ("NONE", [], [], {"consented_or_unneeded", "unknown", "refused_or_unknown"}),
    ],
)
def test_states_of_consent(
    zone: str | None, consented: Names, refused: Names, states: set[str], session: Session
) -> None:
    """Each profile has exactly these consent states."""
    asked = {state: consent_is(state, "news", PROFILES, COLUMNS) for state in STATES}
    assert {state for state, sql in asked.items() if evaluate(session, sql, zone, consented, refused)} == states


def test_conditions_are_never_null(session: Session) -> None:
    """Conditions are true or false for any profile, so that their negation is exact."""
    names = [objective.name for objective in PROFILES.objectives]
    conditions = [may_process(names[:count], PROFILES, COLUMNS) for count in range(len(names) + 1)]
    conditions += [consent_is(state, name, PROFILES, COLUMNS) for state, name in product(STATES, names)]
    never = f"[{', '.join(conditions)}]"
    for zone, consented, refused in product((None, "GDPR", "CCPA", "JAPAN_APPI"), *[(None, [], ["news"], [None])] * 2):
        answers = evaluate(session, never, zone, consented, refused)
        assert set(answers) <= {True, False}


def test_conditions_accept_expressions_for_columns(session: Session) -> None:
    """Conditions accept other expressions in place of columns, such as those of an imported row."""
    nowhere = ConsentColumns("cast(null as varchar)", "cast(null as varchar[])", "['news']")
    assert evaluate(session, consent_is("refused", "news", PROFILES, nowhere), "GDPR", ["news"], []) is True
    assert evaluate(session, may_process(["offers"], PROFILES, nowhere), "GDPR", ["offers"], []) is True
