"""The table of operators: all behaviour of an operator derives from its row."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cdp_sync
from cdp_sync.model.operators import OPERATORS, Operator

ROW = """
    Operator(
        "starts_with", _TEXT, VALUE, _one(lambda value, text: value.op("^@")(text)), "a text that starts with {}",
        "Starts with this text, in any case.",
    ),"""

USE = """
from datetime import UTC, datetime
from pathlib import Path

from cdp_sync.model import Profiles, Segment
from cdp_sync.model.reading import read_text
from cdp_sync.model.consistency import find_profile_problems
from cdp_sync.segments.membership import view_segment
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.properties import sync_properties

declared = Profiles.model_validate({
    "properties": [{"name": "city"}, {"name": "tags", "multiple": True}, {"name": "born", "type": "date"}],
    "segments": [
        {"name": "one", "when": {"property": "city", "starts_with": "den "}},
        {"name": "other", "when": {"property": "city", "not_starts_with": "den "}},
        {"name": "listed", "when": {"property": "tags", "starts_with": "a"}},
        {"name": "of_date", "when": {"property": "born", "starts_with": "a"}},
        {"name": "of_number", "when": {"property": "city", "starts_with": 5}},
    ],
})
print(*find_profile_problems(declared), sep="\\n")
with Warehouse(Path("warehouse.duckdb")).open("write") as session:
    sync_properties(session, declared)
    session.execute("insert into warehouse.profile (profile_id, city, tags) values (uuid(), 'Den Haag', ['b', 'Art'])")
    session.execute("insert into warehouse.profile (profile_id, city) values (uuid(), 'Ede'), (uuid(), null)")
    for name in ("one", "other", "listed"):
        view = view_segment(session, declared, name, datetime.now(UTC))
        print(view.size, view.words)
text = "type: cdp_sync.components.ProfileModel\\nattributes: {properties: [], segments: [{name: a, when: %s}]}"
for when in ("{property: city, start_with: x}", "{property: city, starts_with: []}"):
    print(*list(read_text(text % when).problems))
keys = Segment.model_json_schema()["$defs"]["Condition"]["properties"]
print(keys["starts_with"]["description"], keys["not_starts_with"]["description"])
"""

EXPECTED = """\
segments[3].when.starts_with: born is date; allowed: is_empty, has_value, equals, at_least, at_most, between, before, \
after, in_last_days, in_next_days, not_equals, not_at_least, not_at_most, not_between, not_before, not_after, \
not_in_last_days, not_in_next_days
segments[4].when.starts_with: found 5; city is compared with text in quotes; where there is none it `is_empty`
1 `city` is a text that starts with `den `
2 `city` is empty or not a text that starts with `den `
1 one of `tags` is a text that starts with `a`
attributes.segments[0].when.start_with: unknown key; did you mean 'starts_with'? allowed: all, any, not, segment,
attributes.segments[0].when.starts_with: found an empty list; needed is one value, such as 40
Starts with this text, in any case. The opposite of `starts_with`; true where there is no value.
"""


def test_a_new_operator_is_one_row(tmp_path: Path) -> None:
    """After one new row, validation, SQL, description, opposite and schema have the operator."""
    package = Path(cdp_sync.__file__).parent
    shutil.copytree(package, tmp_path / "cdp_sync", ignore=shutil.ignore_patterns("__pycache__", "defs", "sandbox"))
    table = tmp_path / "cdp_sync" / "model" / "operators.py"
    before = table.read_text(encoding="utf-8")
    after = before.replace("OPERATORS = (", f"OPERATORS = ({ROW}")
    assert after != before
    table.write_text(after, encoding="utf-8")
    command, environ = [sys.executable, "-c", USE], {"PYTHONPATH": str(tmp_path)}
    used = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert used.stderr == ""
    for found, expected in zip(used.stdout.splitlines(), EXPECTED.splitlines(), strict=True):
        assert found.startswith(expected)


@pytest.mark.parametrize("row", OPERATORS, ids=lambda row: row.name)
def test_a_row_can_be_pickled(row: Operator) -> None:
    """A row can be pickled, as a run may have a process of its own."""
    assert pickle.loads(pickle.dumps(row)) is row
