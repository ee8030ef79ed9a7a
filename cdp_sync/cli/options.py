"""What several commands have in common: arguments, options, their completion, answers for people or for programs.

A shell completes the names of connections, goals, segments and lifecycles. Files are read for that as plain YAML,
without models and without Dagster: a shell waits for every answer. A file that cannot be read has no names.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from cdp_sync.errors import CdpSyncError

if TYPE_CHECKING:
    from cdp_sync.warehouse import Warehouse

T = TypeVar("T")
_GOALS = ("import_groups", "import_profiles", "export_profiles", "export_events", "export_responses")


def complete_connections(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the connections whose names begin so."""
    return _beginning(begun, (each for each in _attributes() if "stages" not in each))


def complete_goals(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the goals of the connection, or of all where none is named yet, whose names begin so."""
    every = _attributes()
    # An option without its value, which is what is completed, keeps click from reading the arguments before it.
    words = {context.params.get("connection"), *context.args}
    named = [each for each in every if each.get("name") in words] or every
    return _beginning(begun, (goal for each in named for key in _GOALS for goal in each.get(key) or ()))


def complete_segments(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the segments whose names begin so."""
    return _beginning(begun, (segment for each in _attributes() for segment in each.get("segments") or ()))


def complete_lifecycles(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the lifecycles whose names begin so."""
    return _beginning(begun, (each for each in _attributes() if "stages" in each))


def complete_group_types(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the types of groups whose names begin so."""
    return _beginning(begun, (group for each in _attributes() for group in each.get("group_types") or ()))


def _beginning(begun: str, declared: Iterable[Any]) -> list[str]:
    names = [each.get("name") for each in declared if isinstance(each, dict)]
    return sorted({name for name in names if isinstance(name, str) and name.startswith(begun)})


def _attributes() -> list[dict[str, Any]]:
    import yaml

    from cdp_sync.orchestration.project_folder import defs_folder, enter_project

    found: list[dict[str, Any]] = []
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with suppress(CdpSyncError):
        enter_project()
        for file in sorted(defs_folder().rglob("defs.yaml")):
            with suppress(yaml.YAMLError, ValueError, LookupError, AttributeError, OSError):  # PyYAML's, too
                documents = yaml.load_all(file.read_text(encoding="utf-8"), Loader=loader)
                found += [each["attributes"] for each in documents if isinstance(each, dict) and "attributes" in each]
    return [each for each in found if isinstance(each, dict)]


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Answer for programs.")
CONNECTION = click.argument("connection", shell_complete=complete_connections)
ANY_CONNECTION = click.argument("connection", required=False, shell_complete=complete_connections)
GOAL = click.option("--goal", shell_complete=complete_goals, help="One goal only.")
COUNT = click.IntRange(1, 1_000_000)
PORT = click.IntRange(0, 65535)
LOCAL_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def answer(found: T, show: Callable[[T], None], to_json: Callable[[T], object], *, as_json: bool) -> None:
    """Show what was found to people, or print for programs what `to_json` makes of it."""
    from cdp_sync.printing import print_json

    if as_json:
        print_json(to_json(found))
    else:
        show(found)


def warehouse() -> "Warehouse":
    """Return the project's warehouse; where there is none yet, say where it was looked for."""
    from cdp_sync.orchestration.data_folder import project_warehouse
    from cdp_sync.printing import errors, say

    found = project_warehouse()
    if not found.exists():
        say(f"There is no warehouse yet: {found.place if found.is_shared else found.path} is not there.", to=errors)
    return found


def end(*, fine: bool) -> NoReturn:
    """End the command with its status: 0 where all is fine, otherwise 1."""
    click.get_current_context().exit(0 if fine else 1)
