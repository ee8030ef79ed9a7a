"""Slips in declarations, told with file, place, what was found and what is allowed; all of them at once."""

from collections.abc import Sequence

import dagster as dg
from pydantic import ValidationError

from cdp_sync.errors import DeclarationError


def refuse(context: dg.ComponentLoadContext, slips: Sequence[str]) -> None:
    """Raise one error for all slips, if there are any.

    Raises:
        DeclarationError: Names the file and every slip in it.
    """
    if not slips:
        return
    file = context.path / "defs.yaml" if context.path.is_dir() else context.path
    listed = "".join(f"\n  attributes.{slip}" for slip in slips)
    raise DeclarationError(f"{file.relative_to(context.defs_module_path)}:{listed}")


def slips_of(error: ValidationError) -> list[str]:
    """Return what pydantic found as `path: message`."""
    return [f"{_path(found['loc'])}: {found['msg'].removeprefix('Value error, ')}" for found in error.errors()]


def _path(place: tuple[int | str, ...]) -> str:
    told = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return told.removeprefix(".")
