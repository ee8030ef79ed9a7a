"""Settings of how cells are read: refused declarations and their messages."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cdp_sync.connectors.sailthru.goals import ListFormat, ListGoal
from cdp_sync.model import Format, Profiles


def refusal(**declared: Any) -> str:
    """Return the message about a refused format."""
    with pytest.raises(ValidationError) as refused:
        Format.model_validate(declared)
    return str(refused.value)


def test_zone_letters_are_refused_with_alternatives() -> None:
    """`%Z` is refused with alternatives, also for lists; an escaped percent sign is accepted."""
    for declared in ({"dates": "%Y-%m-%d %H:%M %Z"}, {"dates": ["iso", "%Z"]}):
        message = refusal(**declared)
        assert "BST" in message
        assert "%z" in message
        assert "time_zone" in message
    with pytest.raises(ValidationError, match="%Z"):
        ListFormat(dates=["%Z"])
    assert Format(dates="%Y%%Z%m%d").dates == ("%Y%%Z%m%d",)


def test_unknown_directives_are_refused() -> None:
    """An unknown directive is refused, since DuckDB would end the import with an error."""
    assert "found %Q; allowed are %Y" in refusal(dates="%Q")
    assert Format(dates=["%-d.%-m.%Y", "%c"]).dates


def test_thousands_and_decimal_separators_differ() -> None:
    """The thousands separator differs from the decimal one and is one of the known signs."""
    assert "declare decimal: ','" in refusal(thousands=".")
    assert "declare decimal: '.'" in refusal(thousands=",", decimal=",")
    assert "an apostrophe and a space" in refusal(thousands="x")
    assert [Format(thousands=sign).thousands for sign in (",", "'", "\u2019", " ", "\u202f")]


@pytest.mark.parametrize("sign", ["-", "1", " €", ".", "(", "+EUR", ""])
def test_a_currency_has_no_characters_of_numbers(sign: str) -> None:
    """A currency with digits, signs or blanks is refused, since these are parts of numbers."""
    assert "currency" in refusal(currency=["EUR", sign])


def test_a_word_is_either_true_or_false() -> None:
    """A word is either true or false, in any case; unquoted YAML booleans are refused."""
    declared = yaml.safe_load("booleans: {true: [J, Ja, 'yes'], false: [N, Nein]}")
    form = Format.model_validate(declared)
    assert form.booleans is not None
    assert (form.booleans.true, form.booleans.false) == (("J", "Ja", "yes"), ("N", "Nein"))
    assert "'ja' for both" in refusal(booleans={"true": ["ja"], "false": [" JA "]})
    assert "need quotes in YAML" in refusal(**yaml.safe_load("booleans: {true: [Yes], false: [No]}"))
    assert "an empty cell is not a value" in refusal(booleans={"true": ["J"], "false": [""]})


def test_lists_have_one_notation() -> None:
    """`json_lists` excludes `multi_value`, and replaces the default separator of a list goal."""
    assert "json_lists and multi_value" in refusal(json_lists=True, multi_value=",")
    goal = ListGoal.model_validate(
        {
            "name": "people",
            "lists": ["all"],
            "link": [{"field": "sid", "property": "id"}],
            "format": {"json_lists": True, "thousands": ","},
        }
    )
    assert goal.format.multi_value == ","
    profiles = Profiles(properties=[{"name": "sailthru_profile_id", "identifier": True}])
    form = goal.as_import("UTC", profiles).format
    assert (form.json_lists, form.multi_value, form.thousands) == (True, None, ",")
