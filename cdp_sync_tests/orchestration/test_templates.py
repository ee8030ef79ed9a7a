"""Templates in declarations, compared with Dagster's own."""

import dagster as dg
import pytest

from cdp_sync.orchestration.templates import fill, names_only_environment


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables of the templates."""
    monkeypatch.setenv("HOST_HERE", "sftp.example.com")
    monkeypatch.setenv("PORT_HERE", "2022")
    monkeypatch.delenv("NOT_HERE", raising=False)


@pytest.mark.parametrize(
    "template",
    [
        "{{ env('HOST_HERE') }}",
        "{{ env.HOST_HERE }}",
        "{{ env('PORT_HERE') }}",
        "{{ env('NOT_HERE', '22') }}",
        "{{ env('NOT_HERE', 22) }}",
        "{{ env('NOT_HERE', none) }}",
        "{{ env.NOT_HERE }}",
        "{{ env.NOT_HERE or 'x' }}",
        "{{ env('NOT_HERE', 'data') }}/sandbox/password",
        "a{{ env.HOST_HERE | upper }}b",
        "{{env('HOST_HERE')}}:{{ env('PORT_HERE') }}",
        "0{{ env('PORT_HERE') }}",
        " {{ env('PORT_HERE') }} ",
        "{{ env('NOT_HERE', '0171') }}",
        "{{ env('NOT_HERE', '') }}",
        "{{ env('NOT_HERE', 'None') }}",
        "{{ env('NOT_HERE', 'a') }}{# a comment #}",
        "{{ env('HOST_HERE').split('.')[0] }}",
    ],
)
def test_a_template_yields_the_value_of_dagster(template: str) -> None:
    """A template yields the same value and type as in Dagster."""
    expected = dg.ResolutionContext.default().resolve_value(template)
    found = fill(template)
    assert names_only_environment(template)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("value", ["plain", "", "{ env }", 22, None, True, ["{{ env.X }}"]])
def test_other_text_is_unchanged(value: object) -> None:
    """Text without two braces is unchanged."""
    assert names_only_environment(value)
    assert fill(value) is value


@pytest.mark.parametrize("template", ["{{ datetime.datetime.now().year }}", "{{ dg }}", "{{ env.X }}{{ mine }}"])
def test_other_names_are_left_to_dagster(template: str) -> None:
    """A template with other names is left to Dagster, which knows more of them."""
    assert not names_only_environment(template)


@pytest.mark.parametrize(
    ("template", "needle"),
    [
        ("{{ env('NOT_HERE') }}", "the environment variable NOT_HERE is not set"),
        ("{{ env( }}", "cannot be filled"),
        ("{{ env.NOT_HERE.upper() }}", "cannot be filled"),
    ],
)
def test_a_template_with_an_unset_variable_fails(template: str, needle: str) -> None:
    """A template with an unset variable fails with the reason."""
    assert names_only_environment(template)
    with pytest.raises(ValueError, match=r"NOT_HERE|filled") as refused:
        fill(template)
    assert needle in str(refused.value)
