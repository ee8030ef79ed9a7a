"""Files in pieces."""

from pathlib import Path

import pytest

from cdp_sync.connectors.split_file import split_lines


def test_a_small_file_is_sent_as_it_is(tmp_path: Path) -> None:
    """Nothing is copied."""
    whole = tmp_path / "users.jsonl"
    whole.write_bytes(b"one\ntwo\n")
    assert list(split_lines(whole, 8)) == [whole]


@pytest.mark.parametrize("most", [1, 9, 1000])
def test_pieces_are_the_file_and_end_with_a_line(tmp_path: Path, most: int) -> None:
    """Also the last one, of which nothing is left."""
    whole, lines = tmp_path / "users.jsonl", [b"line %d\n" % number for number in range(500)]
    whole.write_bytes(b"".join(lines))
    found = [piece.read_bytes() for piece in split_lines(whole, most)]
    assert b"".join(found) == whole.read_bytes()
    assert all(piece.endswith(b"\n") and most <= len(piece) <= most + len(lines[-1]) for piece in found[:-1])
    assert list(tmp_path.iterdir()) == [whole]


def test_no_piece_is_left_when_sending_fails(tmp_path: Path) -> None:
    """It holds personal data."""
    whole = tmp_path / "users.jsonl"
    whole.write_bytes(b"one\ntwo\n")
    sending = split_lines(whole, 3)
    assert next(sending).read_bytes() == b"one\n"
    sending.close()
    assert list(tmp_path.iterdir()) == [whole]
