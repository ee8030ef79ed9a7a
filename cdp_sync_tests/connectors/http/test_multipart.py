"""Forms with a file in them."""

import email
import tracemalloc
from pathlib import Path

from cdp_sync.connectors.http.multipart import boundary, form

FIELDS = {"json": '{"a": "ä"}', "sig": "abc"}


def test_a_form_reads_as_any_mail_program_reads_it(tmp_path: Path) -> None:
    """Fields first, then the file, byte for byte; the length is right."""
    file = tmp_path / 'us"er\n.jsonl'
    file.write_bytes(b"\r\n--x\r\n\x00\xff")
    mark = boundary()
    with form(mark, FIELDS, "file", file) as opened:
        sent = opened.read()
        while more := opened.read(7):
            sent += more
        assert len(sent) == len(opened)
    message = email.message_from_bytes(f"Content-Type: multipart/form-data; boundary={mark}\r\n\r\n".encode() + sent)
    parts = [part for part in message.walk() if not part.is_multipart()]
    names = [part.get_param("name", header="Content-Disposition") for part in parts]
    assert names == ["json", "sig", "file"]
    assert parts[0].get_payload(decode=True) == '{"a": "ä"}'.encode()
    assert parts[2].get_payload(decode=True) == b"\r\n--x\r\n\x00\xff"
    assert parts[2].get_filename() == "us_er_.jsonl"


def test_a_form_is_read_piece_by_piece(tmp_path: Path) -> None:
    """50 MB need less than 1 MB."""
    file = tmp_path / "users.jsonl"
    with file.open("wb") as large:
        large.truncate(50 << 20)
    tracemalloc.start()
    try:
        with form(boundary(), FIELDS, "file", file) as opened:
            assert sum(map(len, opened)) == len(opened)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
