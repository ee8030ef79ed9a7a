"""The names that a shell completes: connections, goals and segments, as the project's files spell them.

Files are read as plain YAML, without models and without Dagster: a shell waits for every answer. A file that cannot be
read has no names.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import click

from cdp_sync.errors import CdpSyncError


def complete_connections(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the connections whose names begin so."""
    return _beginning(begun, (each.get("name") for each in _attributes()))


def complete_goals(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the goals of the connection, or of all where none is named yet, whose names begin so."""
    every = _attributes()
    # An option without its value, which is what is completed, keeps click from reading the arguments before it.
    words = {context.params.get("connection"), *context.args}
    named = [each for each in every if each.get("name") in words] or every
    return _beginning(begun, (goal for each in named for goal in _names(each, "import_profiles", "export_profiles")))


def complete_segments(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the segments whose names begin so."""
    return _beginning(begun, (name for each in _attributes() for name in _names(each, "segments")))


def _beginning(begun: str, names: Iterable[object]) -> list[str]:
    return sorted({name for name in names if isinstance(name, str) and name.startswith(begun)})


def _names(attributes: dict[str, Any], *keys: str) -> Iterator[object]:
    for key in keys:
        yield from (each.get("name") for each in attributes.get(key) or () if isinstance(each, dict))


def _attributes() -> list[dict[str, Any]]:
    """Return the attributes of every component of the project."""
    import yaml

    from cdp_sync.orchestration.project_folder import defs_folder, enter_project

    found: list[dict[str, Any]] = []
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with suppress(CdpSyncError):
        enter_project()
        for file in sorted(defs_folder().rglob("defs.yaml")):
            with suppress(yaml.YAMLError, UnicodeDecodeError, OSError):
                documents = yaml.load_all(file.read_text(encoding="utf-8"), Loader=loader)
                found += [
                    each["attributes"]
                    for each in documents
                    if isinstance(each, dict) and isinstance(each.get("attributes"), dict)
                ]
    return found
