"""Declared values as Dagster definitions, checked against the rest of the project."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from cdp_sync.model import Connection, Declared, Maintenance, Profiles
from cdp_sync.model.consistency import find_problems, find_profile_problems
from cdp_sync.orchestration.connection import build_connection
from cdp_sync.orchestration.declaration_files import (
    MAINTENANCE,
    PROFILE_MODEL,
    declaration_files,
    declared_profiles,
    find_second,
    read_declaration,
    refuse,
)
from cdp_sync.orchestration.goals.segments import build_segments


def build_declared(declared: Declared, file: Path) -> dg.Definitions:
    """Check the value that a defs.yaml declares, and build its assets, jobs and resources.

    Raises:
        DeclarationError: Names every problem with its line.
    """
    match declared:
        case Connection():
            profiles = declared_profiles()
            refuse(file, [f"attributes.{problem}" for problem in find_problems(declared, profiles)])
            return build_connection(declared, profiles)
        case Profiles():
            problems = [f"attributes.{problem}" for problem in find_profile_problems(declared)]
            refuse(file, [*_second(PROFILE_MODEL, file), *problems])
            return build_segments(declared, _import_keys())
        case Maintenance():
            from cdp_sync.orchestration.runs.maintenance import build_maintenance

            refuse(file, list(_second(MAINTENANCE, file)))
            return build_maintenance(declared)
    raise TypeError(type(declared))


def _second(kind: str, file: Path) -> Iterator[str]:
    return (problem for second, problem in find_second(kind) if second == file)


def _import_keys() -> Iterator[dg.AssetKey]:
    """Yield the assets of all import goals; a problem of a file is reported where the file is loaded."""
    for file in declaration_files():
        for document in read_declaration(file).documents:
            if isinstance(document.value, Connection):
                connection = document.value
                yield from (dg.AssetKey([connection.name, goal.name]) for goal in connection.import_profiles)
