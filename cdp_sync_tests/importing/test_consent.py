"""What an import stores about people without consent, and when it checks consent."""

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
    """A connection bound to an objective."""
    return Importer(tmp_path, COUNTS, profiles=CONSENTING, objectives=("ads",))


@pytest.fixture
def desk(tmp_path: Path) -> Importer:
    """A connection to the same warehouse that imports consent and is bound to no objective."""
    return Importer(tmp_path, CONSENTS, profiles=CONSENTING, connection="desk")


def test_nothing_is_kept(shop: Importer) -> None:
    """People without consent leave no profile, identifier, row or value in the warehouse."""
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


def test_an_invalid_value_of_a_consenting_person_is_kept(shop: Importer, desk: Importer) -> None:
    """A value that does not convert is quarantined where the person consents."""
    desk.deliver({"/c.csv": "Email,Agreed\nb@x,ads\n"})
    shop.deliver({"/a.csv": NAMES})
    assert ("/a.csv", 3, "Count", "many", "not a whole number") in shop.quarantine()


def test_consent_is_checked_under_the_write_lock(shop: Importer, desk: Importer) -> None:
    """Consent is checked under the write lock, after changes that another run made since linking."""
    desk.deliver({"/c.csv": "Email,Agreed\nb@x,ads\n"})

    def change_consent(_: object) -> None:
        desk.deliver({"/d.csv": "Email,Agreed,Refused\na@x,ads,\nb@x,,ads\n"})

    report = shop.deliver({"/a.csv": NAMES}, between=change_consent)
    assert (report.counters.rows_applied, report.counters.rows_without_consent) == (1, 1)
    assert shop.column("first_name") == {"a@x": "Ann", "b@x": None}
    assert shop.column("refused_objectives") == {"a@x": None, "b@x": ["ads"]}


def test_a_second_attempt(shop: Importer, desk: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that failed after the check of consent gives the same result when it is retried."""
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
    """Raise the error of a locked warehouse."""
    raise WarehouseLocked("Somebody writes.")


def test_objectives_are_part_of_the_fingerprint(shop: Importer) -> None:
    """The fingerprint of a goal includes the objectives of its connection and their zones."""
    bound = shop.new_run().fingerprint
    shop.objectives = ()
    assert shop.new_run().fingerprint != bound
