"""What is known of users when a delivery goes on that broke off."""

from pathlib import Path

import pytest

from cdp_sync.exporting.audiences.delivering import _cut_torn_line, _known


@pytest.mark.parametrize("torn", ["", "7,sen", "8" * 200_000])
def test_what_a_crash_cut_short_is_forgotten(tmp_path: Path, torn: str) -> None:
    """Every other user is known by the place of their line, in whatever order they were noted."""
    outcomes = tmp_path / "outcomes.csv"
    outcomes.write_text(f"5,absent,,,\n0,sent,,[],\n{torn}")
    _cut_torn_line(outcomes)
    assert outcomes.read_text() == "5,absent,,,\n0,sent,,[],\n"
    assert list(_known(outcomes)) == [1, 0, 0, 0, 0, 1]


def test_nothing_is_known_at_first(tmp_path: Path) -> None:
    """Also where not even the first line was whole."""
    outcomes = tmp_path / "outcomes.csv"
    _cut_torn_line(outcomes)
    assert not _known(outcomes)
    outcomes.write_text("0,se")
    _cut_torn_line(outcomes)
    assert (outcomes.read_text(), _known(outcomes)) == ("", bytearray())
