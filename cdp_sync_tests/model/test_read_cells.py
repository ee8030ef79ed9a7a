"""How imported cells may be declared: what is refused, and what the refusal says."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cdp_sync.connectors.sailthru.goals import ListFormat, ListGoal
from cdp_sync.model import Format, Profiles


def refusal(**declared: Any) -> str:
    """Return why a format is refused."""
    with pytest.raises(ValidationError) as refused:
        Format.model_validate(declared)
    return str(refused.value)


def test_zone_letters_are_refused_with_the_ways_out() -> None:
    """Also for lists; a percent sign that is meant is none."""
    for declared in ({"dates": "%Y-%m-%d %H:%M %Z"}, {"dates": ["iso", "%Z"]}):
        message = refusal(**declared)
        assert "BST" in message
        assert "%z" in message
        assert "time_zone" in message
    with pytest.raises(ValidationError, match="%Z"):
        ListFormat(dates=["%Z"])
    assert Format(dates="%Y%%Z%m%d").dates == ("%Y%%Z%m%d",)


def test_unknown_directives_are_refused() -> None:
    """DuckDB would end the import with an error."""
    assert "found %Q; allowed are %Y" in refusal(dates="%Q")
    assert Format(dates=["%-d.%-m.%Y", "%c"]).dates


def test_groups_are_written_otherwise_than_decimals() -> None:
    """And by one of the signs that people use."""
    assert "declare decimal: ','" in refusal(thousands=".")
    assert "declare decimal: '.'" in refusal(thousands=",", decimal=",")
    assert "an apostrophe and a space" in refusal(thousands="x")
    assert [Format(thousands=sign).thousands for sign in (",", "'", "\u2019", " ", "\u202f")]


@pytest.mark.parametrize("sign", ["-", "1", " €", ".", "(", "+EUR", ""])
def test_a_currency_is_no_part_of_a_number(sign: str) -> None:
    """Digits, signs and blanks in it would be taken for parts of the number."""
    assert "currency" in refusal(currency=["EUR", sign])


def test_a_word_is_true_or_false() -> None:
    """In any case; as YAML reads the keys, and not as it reads words without quotes."""
    declared = yaml.safe_load("booleans: {true: [J, Ja, 'yes'], false: [N, Nein]}")
    form = Format.model_validate(declared)
    assert form.booleans is not None
    assert (form.booleans.true, form.booleans.false) == (("J", "Ja", "yes"), ("N", "Nein"))
    assert "'ja' for both" in refusal(booleans={"true": ["ja"], "false": [" JA "]})
    assert "need quotes in YAML" in refusal(**yaml.safe_load("booleans: {true: [Yes], false: [No]}"))
    assert "an empty cell is not a value" in refusal(booleans={"true": ["J"], "false": [""]})


def test_lists_are_written_in_one_way() -> None:
    """A list's format has a separator unless declared, which JSON replaces."""
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
