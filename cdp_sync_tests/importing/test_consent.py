"""What a run does with people who do not consent, seen from inside: what it keeps, and when it judges."""

from pathlib import Path

import pytest

from cdp_sync.errors import WarehouseLocked
from cdp_sync.importing.pipeline import link_identifiers, upsert_profiles
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.importing.upserting import upsert as applying
from cdp_sync.model import Counters, Profiles
from cdp_sync_tests.trail.importer import PROFILES, Importer, arrived, goal

CONSENTING = Profiles(
    properties=PROFILES.properties,
    zones={"GDPR": "opt_in", "NONE": "opt_in"},
    objectives=[{"name": "ads", "zones": ["GDPR", "NONE"]}],
)
CONSENTS = goal(
    name="consents",
    map=[
        {"field": "Agreed", "property": "consented_objectives"},
        {"field": "Refused", "property": "refused_objectives"},
    ],
)
COUNTS = goal(map=[{"field": "Name", "property": "first_name"}, {"field": "Count", "property": "order_count"}])
NAMES = "Email,Name,Count\na@x,Ann,1\nb@x,Bob,many\n"


@pytest.fixture
def shop(tmp_path: Path) -> Importer:
    """A connection that is bound to an objective."""
    return Importer(tmp_path, COUNTS, profiles=CONSENTING, objectives=("ads",))


@pytest.fixture
def desk(tmp_path: Path) -> Importer:
    """A connection to the same warehouse that brings consent; it is bound to none."""
    return Importer(tmp_path, CONSENTS, profiles=CONSENTING, connection="desk")


def test_nothing_is_kept(shop: Importer) -> None:
    """Of people who do not consent the warehouse keeps no profile, no identifier, no row and no value."""
    report = shop.deliver({"/a.csv": NAMES})
    assert report.counters == Counters(rows_read=2, rows_without_consent=2, values_invalid=1)
    for table in ("profile", "profile_identifier", "profile_change", "imported_row"):
        assert shop.rows(f"select count(*) from warehouse.{table}") == [(0,)]
    assert shop.quarantine() == [
        ("/a.csv", 2, None, None, "no consent for the connection's objectives"),
        ("/a.csv", 3, "Count", None, "not a whole number"),
        ("/a.csv", 3, None, None, "no consent for the connection's objectives"),
    ]
    assert report.samples == ()
    assert report.reasons[0] == ("no consent for the connection's objectives", 2)
    assert "2 without consent" in report.message


def test_a_value_of_who_consents_is_kept(shop: Importer, desk: Importer) -> None:
    """What did not convert is shown where the row landed otherwise."""
    desk.deliver({"/c.csv": "Email,Agreed\nb@x,ads\n"})
    shop.deliver({"/a.csv": NAMES})
    assert ("/a.csv", 3, "Count", "many", "not a whole number") in shop.quarantine()


def test_consent_that_changes_before_writing(shop: Importer, desk: Importer) -> None:
    """Consent is judged under the lock, by what another run has written since the rows were linked."""
    desk.deliver({"/c.csv": "Email,Agreed\nb@x,ads\n"})

    def minds_change(_: object) -> None:
        desk.deliver({"/d.csv": "Email,Agreed,Refused\na@x,ads,\nb@x,,ads\n"})

    report = shop.deliver({"/a.csv": NAMES}, between=minds_change)
    assert (report.counters.rows_applied, report.counters.rows_without_consent) == (1, 1)
    assert shop.column("first_name") == {"a@x": "Ann", "b@x": None}
    assert shop.column("refused_objectives") == {"a@x": None, "b@x": ["ads"]}


def test_a_second_attempt(shop: Importer, desk: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that failed after judging judges the same when it is tried again."""
    desk.deliver({"/c.csv": "Email,Agreed\nb@x,ads\n"})
    run = shop.new_run()
    stage_files(run, arrived(shop.folder / run.run_id, {"/a.csv": NAMES}))
    link_identifiers(run)
    with monkeypatch.context() as patched:
        patched.setattr(applying, "write_run", locked)
        with pytest.raises(WarehouseLocked):
            upsert_profiles(run)
    report = upsert_profiles(run)
    assert report.counters == Counters(
        rows_read=2, rows_applied=1, rows_without_consent=1, profiles_updated=1, values_invalid=1
    )
    assert len(shop.quarantine()) == 2


def locked(*_: object, **__: object) -> None:
    """Stand in for a step that fails."""
    raise WarehouseLocked("Somebody writes.")


def test_a_bound_goal_is_another_one(shop: Importer) -> None:
    """What a connection is bound to is part of the fingerprint, and so are the objective's zones."""
    bound = shop.new_run().fingerprint
    shop.objectives = ()
    assert shop.new_run().fingerprint != bound
