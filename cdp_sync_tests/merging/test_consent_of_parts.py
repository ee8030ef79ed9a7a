"""Consent of merged profiles: what one part refused holds for all."""

from pathlib import Path

from cdp_sync.model import Profiles
from cdp_sync_tests.trail.importer import Importer, goal

PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "number", "identifier": True},
            {"name": "email", "type": "email", "identifier": True, "multiple": True},
            {"name": "first_name"},
        ],
        "zones": {"GDPR": "opt_in", "NONE": "opt_out"},
        "objectives": [{"name": "ads", "zones": ["GDPR", "NONE"]}],
        "merge_rules": [{"property": "email"}],
    }
)
LINK = [{"field": "Number", "property": "number"}]
CONSENTS = goal(
    name="consents",
    link=LINK,
    map=[
        {"field": "Email", "property": "email", "mode": "add"},
        {"field": "Zone", "property": "privacy_legislation"},
        {"field": "Agreed", "property": "consented_objectives"},
        {"field": "Refused", "property": "refused_objectives"},
    ],
)
NAMES = goal(link=LINK, map=[{"field": "Name", "property": "first_name"}])


def test_what_one_part_refused_holds_for_all(tmp_path: Path) -> None:
    """Rows about a part that consented are held back, once it is merged with one that refused."""
    desk = Importer(tmp_path / "desk", CONSENTS, PROFILES, "desk")
    shop = Importer(tmp_path / "shop", NAMES, PROFILES, "shop", desk.warehouse, objectives=("ads",))
    desk.deliver({"/1.csv": "Number,Email,Zone,Agreed,Refused\nn1,a@x.nl,GDPR,ads,\nn2,b@x.nl,NONE,,ads\n"})
    assert shop.deliver({"/1.csv": "Number,Name\nn1,Ann\n"}).counters.rows_applied == 1
    merged = desk.deliver({"/2.csv": "Number,Email,Zone,Agreed,Refused\nn2,a@x.nl,,,\n"})
    assert merged.counters.profiles_merged == 1
    shown = "privacy_legislation, consented_objectives, refused_objectives, first_name"
    assert shop.rows(f"select {shown} from warehouse.live_profile") == [("GDPR", None, ["ads"], "Ann")]
    assert shop.deliver({"/2.csv": "Number,Name\nn1,Anna\nn2,Bo\n"}).counters.rows_without_consent == 2

    desk.deliver({"/3.csv": "Number,Email,Zone,Agreed,Refused\nn2,,,ads,\n"})
    assert shop.deliver({"/2.csv": "Number,Name\nn1,Anna\nn2,Bo\n\n"}).counters.rows_applied == 2
