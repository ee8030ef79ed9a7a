"""Splitting a file into parts of limited size."""

from pathlib import Path

import pytest

from cdp_sync.connectors.split_file import split_lines


def test_a_small_file_is_not_copied(tmp_path: Path) -> None:
    """A small file is sent without a copy."""
    whole = tmp_path / "users.jsonl"
    whole.write_bytes(b"one\ntwo\n")
    assert list(split_lines(whole, 8)) == [whole]


@pytest.mark.parametrize("most", [1, 9, 1000])
def test_parts_are_the_file_and_end_with_a_line(tmp_path: Path, most: int) -> None:
    """Each part ends with a line, and together they are the file. No part is left at the end."""
    whole, lines = tmp_path / "users.jsonl", [b"line %d\n" % number for number in range(500)]
    whole.write_bytes(b"".join(lines))
    found = [piece.read_bytes() for piece in split_lines(whole, most)]
    assert b"".join(found) == whole.read_bytes()
    assert all(piece.endswith(b"\n") and most <= len(piece) <= most + len(lines[-1]) for piece in found[:-1])
    assert list(tmp_path.iterdir()) == [whole]


def test_a_failed_delivery_leaves_no_part(tmp_path: Path) -> None:
    """A failed delivery leaves no part, as parts hold personal data."""
    whole = tmp_path / "users.jsonl"
    whole.write_bytes(b"one\ntwo\n")
    sending = split_lines(whole, 3)
    assert next(sending).read_bytes() == b"one\n"
    sending.close()
    assert list(tmp_path.iterdir()) == [whole]
