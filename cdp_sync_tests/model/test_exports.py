"""Declared export goals: valid ones, refused ones, and their messages."""

from typing import Any

import pytest
from pydantic import ValidationError

from cdp_sync.model import ExportFormat, FileExportGoal, Format, Profiles, SftpConnection, export_fingerprint
from cdp_sync.model.consistency import find_problems
from cdp_sync.model.export import KINDS
from cdp_sync.model.reading import read_text

PROFILES = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "total", "type": "decimal"},
            {"name": "interests", "multiple": True},
        ],
        "segments": [{"name": "all", "when": {"property": "email", "has_value": True}}],
    }
)
COLUMN = {"field": "Email", "property": "email"}
SERVER = {"host": "sftp.example.com", "username": "shop", "password_env": "P", "host_key": "SHA256:" + "A" * 43}


def goal(**fields: Any) -> FileExportGoal:
    """Return an export goal."""
    return FileExportGoal.model_validate({"name": "out", "segment": "all", "map": [COLUMN]} | fields)


def refusal(**fields: Any) -> str:
    """Return the message about a refused export goal."""
    with pytest.raises(ValidationError) as refused:
        goal(**fields)
    return str(refused.value)


def problems_of(**fields: Any) -> list[str]:
    """Return the problems of an export goal with the profile model."""
    connection = {"name": "shop", "server": SERVER, "export_profiles": [goal(**fields)]}
    return find_problems(SftpConnection.model_validate(connection), PROFILES)


@pytest.mark.parametrize("column", [{"field": "X"}, {"field": "X", "property": "email", "text": "y"}])
def test_a_column_holds_exactly_one_thing(column: dict[str, str]) -> None:
    """A column with none or two of the things that it can hold is refused."""
    assert f"a column holds exactly one of {', '.join(KINDS)}" in refusal(map=[COLUMN, column])


def test_texts_by_segment_name_declared_segments() -> None:
    """A column of texts by segment names segments that are declared; `otherwise` goes with it only."""
    column = {"field": "State", "first_segment": {"no_such": "in"}, "otherwise": "out"}
    (problem,) = problems_of(map=[COLUMN, column])
    assert problem.startswith("export_profiles[0].map[1].first_segment: 'no_such' is unknown")
    assert "otherwise: needed beside it is `first_segment`" in refusal(
        map=[COLUMN, {"field": "State", "text": "in", "otherwise": "out"}]
    )


def test_an_export_without_a_property_is_refused() -> None:
    """An export needs a column with a property, since only profiles with a value are exported."""
    assert "no column holds a property" in refusal(map=[{"field": "Id", "profile_id": True}])


def test_columns_have_different_names() -> None:
    """Two columns with the same name are refused, since an import could not read the file."""
    assert "more than one column is called Email" in refusal(map=[COLUMN, COLUMN])


@pytest.mark.parametrize("name", ["../x.csv", "a/b.csv", "..", "a\\b", "a\nb.csv", "", "a\x7f"])
def test_a_file_name_has_no_path(name: str) -> None:
    """A file name with a path or control characters is refused."""
    assert "name" in refusal(file={"name": name})


def test_imports_and_exports_have_different_names() -> None:
    """An import and an export of a connection cannot have the same name, since both become assets."""
    imported = {"name": "out", "link": [COLUMN]}
    with pytest.raises(ValidationError, match="more than one goal is called out"):
        SftpConnection.model_validate(
            {"name": "shop", "server": SERVER, "import_profiles": [imported], "export_profiles": [goal()]}
        )


@pytest.mark.parametrize("name", ["segments", "profiles"])
def test_reserved_names_are_refused_for_connections(name: str) -> None:
    """A connection cannot have the name of another group of assets."""
    with pytest.raises(ValidationError, match="stands for something else"):
        SftpConnection.model_validate({"name": name, "server": SERVER})


def test_problems_are_reported_with_their_places() -> None:
    """Unknown segments and properties, and lists without a separator, are reported with their places."""
    columns = [
        {"field": "A", "property": "emial"},
        {"field": "B", "segments": ["al"]},
        {"field": "C", "segments": "all"},
    ]
    found = problems_of(segment="al", map=[*columns, {"field": "D", "property": "interests"}])
    assert [problem.partition(": ")[0] for problem in found] == [
        "export_profiles[0].segment",
        "export_profiles[0].map[0].property",
        "export_profiles[0].map[1].segments",
        "export_profiles[0].map[1].segments",
        "export_profiles[0].map[2].segments",
        "export_profiles[0].map[3].property",
    ]
    assert "did you mean 'email'?" in found[1]
    assert "multi_value" in found[5]


def test_a_valid_export_has_no_problems() -> None:
    """An export goal with each kind of column has no problems."""
    columns = [COLUMN, {"field": "I", "property": "interests"}, {"field": "S", "segments": ["all"]}]
    further = [{"field": "P", "profile_id": True}, {"field": "T", "text": "x"}]
    assert problems_of(map=[*columns, *further], format={"multi_value": "|"}) == []


def test_shared_format_settings_have_the_same_form() -> None:
    """Settings that imports and exports share have the same form, so that they can be copied."""
    shared = {"separator": ";", "decimal": ",", "multi_value": "|", "dates": ["%d.%m.%Y"], "time_zone": "Europe/Paris"}
    assert ExportFormat(**shared).model_dump(include=set(shared)) == Format(**shared).model_dump(include=set(shared))


def test_the_fingerprint_covers_the_form_of_a_row() -> None:
    """The fingerprint covers columns, format and directory, but not `title`, `changes` or `enabled`."""
    expected = export_fingerprint(goal(), PROFILES)
    same = [goal(title="T"), goal(changes="all"), goal(write_empty=True), goal(enabled=False)]
    other = [goal(directory="/x"), goal(file={"timestamp": True}), goal(format={"quote": "all"})]
    assert {export_fingerprint(each, PROFILES) for each in same} == {expected}
    assert expected not in {export_fingerprint(each, PROFILES) for each in other}


def test_an_unknown_key_is_reported_with_its_path() -> None:
    """An unknown key in an export goal is reported with its path and the allowed keys."""
    text = """
type: cdp_sync.components.SftpConnection
attributes:
  name: shop
  server: {host: a, username: b, password_env: C, known_hosts_file: d}
  export_profiles:
    - {name: out, segment: all, map: [{field: Email, propery: email}]}
"""
    (problem, *_) = list(read_text(text).problems)
    assert problem.startswith("attributes.export_profiles[0].map[0]")
    assert "did you mean 'property'?" in " ".join(list(read_text(text).problems))
