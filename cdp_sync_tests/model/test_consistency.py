"""Consistency of a connection's goals with the profile model."""

from typing import Any

from cdp_sync.model import Profiles, SftpConnection
from cdp_sync.model.consistency import find_problems

PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "customer_id", "identifier": True},
            {"name": "first_name"},
            {"name": "order_total", "type": "decimal"},
            {"name": "interests", "multiple": True},
        ]
    }
)


def problems_of(*goals: dict[str, Any], profiles: Profiles = PROFILES) -> list[str]:
    """Return the problems of a connection with these goals."""
    server = {"host": "h", "username": "u", "password_env": "P"}
    defaults = {"link": [{"field": "Email", "property": "email"}]}
    named = [{"name": f"goal{number}"} | defaults | goal for number, goal in enumerate(goals)]
    return find_problems(
        SftpConnection.model_validate({"name": "shop", "server": server, "import_profiles": named}), profiles
    )


def test_a_valid_goal_has_no_problems() -> None:
    """Each set mode on a suitable property has no problems."""
    mappings = [
        {"field": "A", "property": "first_name", "mode": "set_or_clear"},
        {"field": "B", "property": "order_total", "mode": "sum"},
        {"field": "C", "property": "interests", "mode": "add"},
        {"field": "D", "property": "customer_id", "mode": "set_if_empty"},
    ]
    assert problems_of({"map": mappings}) == []


def test_an_unknown_property_is_reported_with_a_suggestion() -> None:
    """The message about an unknown property has its path, the nearest name and all names."""
    (found,) = problems_of({}, {"map": [{"field": "A", "property": "email"}, {"field": "B", "property": "first_nam"}]})
    assert found == (
        "import_profiles[1].map[1].property: 'first_nam' is unknown; did you mean 'first_name'? "
        "allowed: email, customer_id, first_name, order_total, interests"
    )


def test_without_a_similar_name_there_is_no_suggestion() -> None:
    """Without a similar name there is no suggestion."""
    (found,) = problems_of({"map": [{"field": "A", "property": "zzz"}]})
    assert "did you mean" not in found


def test_a_link_needs_an_identifier() -> None:
    """The message about a link to an unknown property or a non-identifier lists the identifiers."""
    linked = [{"field": "A", "property": "first_name"}, {"field": "B", "property": "emial"}]
    first, second = problems_of({"link": linked})
    assert (
        first == "import_profiles[0].link[0].property: 'first_name' is not an identifier; allowed: email, customer_id"
    )
    assert second == (
        "import_profiles[0].link[1].property: 'emial' is unknown; did you mean 'email'? allowed: email, customer_id"
    )


def test_a_profile_without_identifiers_is_reported() -> None:
    """Without identifiers the message about a link says so."""
    (found,) = problems_of({}, profiles=Profiles.model_validate({"properties": [{"name": "email"}]}))
    assert found.endswith("'email' is not an identifier; allowed: none is declared")


def test_set_modes_need_a_suitable_property() -> None:
    """`add` needs a list and `sum` a single number; the message names the property's type."""
    mappings = [
        {"field": "A", "property": "first_name", "mode": "add"},
        {"field": "B", "property": "email", "mode": "sum"},
        {"field": "C", "property": "interests", "mode": "sum"},
    ]
    added, summed, listed = problems_of({"map": mappings})
    assert "map[0].mode: 'add' needs a property with `multiple: true`" in added
    assert "map[1].mode: 'sum' needs a single number or decimal, and email is varchar" in summed
    assert "interests is varchar[]" in listed


def test_all_problems_of_all_goals_are_reported_in_order() -> None:
    """All problems of all goals are reported in order."""
    bad = {"link": [{"field": "A", "property": "x"}], "map": [{"field": "B", "property": "y"}]}
    places = [problem.partition(":")[0] for problem in problems_of(bad, {}, bad)]
    assert places == [f"import_profiles[{goal}].{part}[0].property" for goal in (0, 2) for part in ("link", "map")]
