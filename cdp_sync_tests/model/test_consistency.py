"""Whether a connection's goals fit the declared profile."""

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
    """Return what is wrong with a connection of these goals."""
    server = {"host": "h", "username": "u", "password_env": "P"}
    usual = {"link": [{"field": "Email", "property": "email"}]}
    named = [{"name": f"goal{number}"} | usual | goal for number, goal in enumerate(goals)]
    return find_problems(
        SftpConnection.model_validate({"name": "shop", "server": server, "import_profiles": named}), profiles
    )


def test_a_goal_that_fits_has_no_problems() -> None:
    """Every set mode on a property that it suits is in order."""
    mappings = [
        {"field": "A", "property": "first_name", "mode": "set_or_clear"},
        {"field": "B", "property": "order_total", "mode": "sum"},
        {"field": "C", "property": "interests", "mode": "add"},
        {"field": "D", "property": "customer_id", "mode": "set_if_empty"},
    ]
    assert problems_of({"map": mappings}) == []


def test_an_unknown_property_is_named_with_its_place_and_a_guess() -> None:
    """The message about a misspelt property has its path, what was found, the nearest name and all names."""
    (found,) = problems_of({}, {"map": [{"field": "A", "property": "email"}, {"field": "B", "property": "first_nam"}]})
    assert found == (
        "import_profiles[1].map[1].property: 'first_nam' is unknown; did you mean 'first_name'? "
        "allowed: email, customer_id, first_name, order_total, interests"
    )


def test_nothing_is_guessed_where_nothing_is_near() -> None:
    """A guess that is far off would mislead."""
    (found,) = problems_of({"map": [{"field": "A", "property": "zzz"}]})
    assert "did you mean" not in found


def test_a_link_needs_an_identifier() -> None:
    """The message about a link to an unknown property, or to one that is no identifier, names the identifiers."""
    linked = [{"field": "A", "property": "first_name"}, {"field": "B", "property": "emial"}]
    first, second = problems_of({"link": linked})
    assert (
        first == "import_profiles[0].link[0].property: 'first_name' is not an identifier; allowed: email, customer_id"
    )
    assert second == (
        "import_profiles[0].link[1].property: 'emial' is unknown; did you mean 'email'? allowed: email, customer_id"
    )


def test_a_profile_without_identifiers_says_so() -> None:
    """Where no identifier is declared, no link can fit."""
    (found,) = problems_of({}, profiles=Profiles.model_validate({"properties": [{"name": "email"}]}))
    assert found.endswith("'email' is not an identifier; allowed: none is declared")


def test_modes_need_a_property_that_suits_them() -> None:
    """`add` needs a list, `sum` a single number; the problem says what the property is."""
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
    """An author sees everything that is wrong with a file at once."""
    bad = {"link": [{"field": "A", "property": "x"}], "map": [{"field": "B", "property": "y"}]}
    places = [problem.partition(":")[0] for problem in problems_of(bad, {}, bad)]
    assert places == [f"import_profiles[{goal}].{part}[0].property" for goal in (0, 2) for part in ("link", "map")]
