"""Valid and hostile archives."""

import gzip
import io
import zipfile
from collections.abc import Mapping

_MEBIBYTE = 1 << 20


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """Return a zip with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def gzipped(content: str | bytes) -> bytes:
    """Return the gzip of the content, reproducibly."""
    return gzip.compress(content.encode() if isinstance(content, str) else content, mtime=0)


def zip_bomb(megabytes: int) -> bytes:
    """Return a small zip with a member that unpacks to so many megabytes."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("bomb.csv", "w") as member,
    ):
        member.write(b"Email,Name\n")
        for _ in range(megabytes):
            member.write(bytes(_MEBIBYTE))
    return buffer.getvalue()
