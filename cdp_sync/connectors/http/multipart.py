"""A form with one file in it, read as it is sent: RFC 7578. requests' own reads the file into memory, twice."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO


class Form:
    """A body in three parts: what goes before the file, the file, what goes after."""

    def __init__(self, parts: tuple[IO[bytes], ...], size: int) -> None:
        self._parts = list(parts)
        self._size = size

    def __len__(self) -> int:
        """Bytes, in all."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body; requests takes for a stream only what can be walked through."""
        return iter(lambda: self.read(1 << 16), b"")

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes: no more than `size`, nothing at the end."""
        while self._parts:
            if chunk := self._parts[0].read(size):
                return chunk
            self._parts.pop(0)
        return b""


def boundary() -> str:
    """Return what separates the parts of a form; nobody can have put it into a file."""
    return secrets.token_hex(16)


@contextmanager
def form(boundary: str, fields: Mapping[str, str], name: str, file: Path) -> Iterator[Form]:
    """Open a form.

    Args:
        boundary: What separates its parts.
        fields: The texts in it.
        name: The file's field.
        file: The file, told by its last name alone; of that only what is ASCII and no quote.
    """
    texts = "".join(_part(boundary, f'name="{key}"') + f"{value}\r\n" for key, value in fields.items())
    told = "".join(sign if sign.isascii() and sign.isprintable() and sign not in '"\\' else "_" for sign in file.name)
    kind = "Content-Type: application/octet-stream\r\n"
    head = (texts + _part(boundary, f'name="{name}"; filename="{told}"', kind)).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    with file.open("rb") as opened:
        size = len(head) + file.stat().st_size + len(tail)
        yield Form((BytesIO(head), opened, BytesIO(tail)), size)


def _part(boundary: str, disposition: str, more: str = "") -> str:
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n"
