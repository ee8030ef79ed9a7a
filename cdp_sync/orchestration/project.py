"""The project as a whole: every declared component, loaded so that a broken one does not take the others down."""

import os
import sys
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import dagster as dg

from cdp_sync.errors import DeclarationError
from cdp_sync.model import STAGE_CHANGED, Connection, Declared, ImportRules, Lifecycle, Maintenance, Profiles
from cdp_sync.model.consistency import find_problems, find_profile_problems
from cdp_sync.model.kind import kinds
from cdp_sync.orchestration.connection import build_connection
from cdp_sync.orchestration.dagster_internals import component_types
from cdp_sync.orchestration.data_folder import data_folder
from cdp_sync.orchestration.declaration_files import (
    MAINTENANCE,
    PROFILE_MODEL,
    declaration_files,
    declared_lifecycles,
    declared_profiles,
    find_profile_model,
    find_second,
    lifecycles_known,
    read_declaration,
    refuse,
    refuse_lifecycles,
)
from cdp_sync.orchestration.declarations import clashes_between_files, plain_values
from cdp_sync.orchestration.garbage import uncollected
from cdp_sync.orchestration.goals.analytics import build_analytics
from cdp_sync.orchestration.goals.events import build_events
from cdp_sync.orchestration.goals.groups import build_groups
from cdp_sync.orchestration.goals.lifecycles import build_lifecycles, running_lifecycles
from cdp_sync.orchestration.goals.merging import build_merging
from cdp_sync.orchestration.goals.scores import build_scores
from cdp_sync.orchestration.goals.segments import build_segments, lifecycle_key
from cdp_sync.orchestration.notify.mail_sensor import build_mail
from cdp_sync.orchestration.project_folder import defs_folder
from cdp_sync.orchestration.resources import WarehouseResource
from cdp_sync.orchestration.runs.recovery import build_recovery
from cdp_sync.warehouse.backend import names_lake, warehouse_setting

_STRICT = "DAGSTER_IS_DEFS_VALIDATION_CLI"
"""Set by `dg check defs` and `dagster definitions validate`, where every error shall be fatal."""


@lifecycles_known()
def load_project() -> dg.Definitions:
    """Load every component of the project.

    Raises:
        DeclarationError: A component is broken, and errors are to be fatal; it names every problem of every file.
    """
    if not os.environ.get(_STRICT):
        with uncollected():
            return _whole(component_types(frozenset(kinds())), *_build_each())
    problems, clashes = [], clashes_between_files()
    for child in _children():
        try:
            _check(child, clashes)
        except DeclarationError as error:
            problems.append(str(error))
    if problems:
        raise DeclarationError("\n".join(problems))
    return _whole(component_tree().build_defs())


def _whole(*parts: dg.Definitions) -> dg.Definitions:
    return dg.Definitions.merge(*parts, build_mail(parts), build_recovery(), shared())


def load_connection(name: str) -> dg.Definitions:
    """Load one connection and what it needs, for a run of it alone: quicker than the whole project.

    Where no folder of that name declares it, the whole project is loaded.

    Raises:
        DeclarationError: The connection is broken.
    """
    child = defs_folder() / name
    if name.isidentifier() and child.is_dir():
        try:
            found = _build_for_a_run(child)
        except Exception as error:
            raise DeclarationError(reason_of(error)) from error
        if any(job.name == f"{name}_sync" for job in found.jobs or ()):
            beside = {child, find_profile_model().parent} - {child}
            return dg.Definitions.merge(found, *map(_build_for_a_run, beside), shared())
    return load_project()


def load_profile_jobs() -> dg.Definitions:
    """Load what the profile model declares, for a run of one of its jobs: quicker than the whole project.

    Raises:
        DeclarationError: The profile model is broken.
    """
    try:
        return dg.Definitions.merge(_build_for_a_run(find_profile_model().parent), shared())
    except Exception as error:
        raise DeclarationError(reason_of(error)) from error


def reason_of(error: Exception) -> str:
    """Return what is wrong with a declaration, without the drawing of the tree that Dagster puts around it."""
    while isinstance(error.__cause__, Exception) and not isinstance(error, DeclarationError):
        error = error.__cause__
    return str(error)


def _check(child: Path, clashes: Mapping[Path, Sequence[str]]) -> None:
    """Raise what is wrong with the files of a folder, each by itself and beside the others of the project."""
    for file in declaration_files(child):
        plain_values(file)  # raises what is wrong with the file
        refuse(file, clashes.get(file, ()))


def component_tree(folder: Path | None = None) -> dg.ComponentTree:
    """Return the tree of declared components, or of those below one folder alone."""
    warnings.filterwarnings("ignore", category=dg.BetaWarning)  # of Dagster about its own parts; nothing to act on
    folder = folder or defs_folder()
    module = ModuleType(f"cdp_sync_declared_{zlib.crc32(str(folder).encode()):08x}")  # stands for the folder
    module.__path__ = [str(folder)]
    module.__file__ = None
    sys.modules[module.__name__] = module
    return dg.ComponentTree(defs_module=module, project_root=Path(__file__).parents[2], code_location_name="cdp_sync")


def shared() -> dg.Definitions:
    """Return what all connections share: the warehouse, and the executor.

    One process a run: the default, one process a step, would load every definition again for each of the short steps.
    """
    warehouse = WarehouseResource(path=warehouse_setting(data_folder().path))
    return dg.Definitions(resources={"warehouse": warehouse}, executor=dg.in_process_executor)


def _children() -> list[Path]:
    return sorted(child for child in defs_folder().iterdir() if child.is_dir() and child.name[0] not in "_.")


def _build_each() -> Iterator[dg.Definitions]:
    """Build every component by itself, so that a broken one does not take the others down."""
    clashes = clashes_between_files()
    for child in _children():
        try:
            _check(child, clashes)
            yield _build_for_the_ui(child)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the others must load
            # The catalog shows it with the file and the place of the problem.
            reason, group = reason_of(error), "broken_connections"
            dg.get_dagster_logger().error(f"{child.name} is not loaded: {reason}")
            description = f"Not loaded:\n```\n{reason}\n```"
            broken = dg.AssetSpec([group, child.name], group_name=group, description=description)
            yield dg.Definitions(assets=[broken])


def _build_for_the_ui(child: Path) -> dg.Definitions:
    """Build what a folder declares by Dagster's tree, which notes the file of each definition for the catalog.

    The tree is the folder's own: building any part of a tree decodes all of it.
    """
    return component_tree(child).build_defs_at_path(child)


def _build_for_a_run(child: Path) -> dg.Definitions:
    """Build what a folder declares of the values that were read: the tree would read and decode the files once more."""
    declared = {file: plain_values(file) for file in declaration_files(child)}
    if None in declared.values() or any(child.rglob("*.py")):
        return _build_for_the_ui(child)
    built = (build_declared(value, file) for file, values in declared.items() for value in values or ())
    return dg.Definitions.merge(*built)


def build_declared(declared: Declared, file: Path) -> dg.Definitions:
    """Check the value that a defs.yaml declares against the rest of the project, and build its definitions.

    Raises:
        DeclarationError: Names every problem with its line.
    """
    match declared:
        case Connection():
            profiles = declared_profiles()
            refuse(file, [f"attributes.{problem}" for problem in find_problems(declared, profiles)])
            return build_connection(declared, profiles)
        case Lifecycle():
            refuse_lifecycles(file)
            return dg.Definitions()
        case Profiles():
            declared = declared.with_lifecycles(declared_lifecycles())
            problems = [f"attributes.{problem}" for problem in find_profile_problems(declared)]
            refuse(file, [*find_second(PROFILE_MODEL).get(file, ()), *problems])
            imports = [*_imports()]
            profile_goals, by_event, by_group = [key for key, _ in imports], _by_event(imports), _group_goals()
            by_event |= {STAGE_CHANGED.name: [*map(lifecycle_key, running_lifecycles(declared))]}
            return dg.Definitions.merge(
                build_segments(declared, profile_goals),
                build_events(declared, by_event),
                build_groups(declared, by_group),
                build_lifecycles(declared),
                build_merging(declared),
                build_scores(declared),
                build_analytics(declared),
            )
        case Maintenance():
            from cdp_sync.orchestration.runs.maintenance import build_maintenance

            refuse(file, find_second(MAINTENANCE).get(file, ()))
            on_lake = names_lake(warehouse_setting(data_folder().path))
            return build_maintenance(declared, declared_profiles(), on_lake=on_lake)
    raise TypeError(type(declared))


def _connections() -> Iterator[Connection]:
    """Yield all declared connections; a problem of a file is reported where the file is loaded."""
    for file in declaration_files():
        for document in read_declaration(file).documents:
            if isinstance(document.value, Connection):
                yield document.value


def _imports() -> Iterator[tuple[dg.AssetKey, ImportRules]]:
    """Yield all goals that import profiles, each with its asset."""
    for connection in _connections():
        yield from ((dg.AssetKey([connection.name, goal.name]), goal) for goal in connection.import_profiles)


def _by_event(imports: Iterable[tuple[dg.AssetKey, ImportRules]]) -> dict[str, list[dg.AssetKey]]:
    """Return the assets of the goals that import each type of events."""
    found: dict[str, list[dg.AssetKey]] = {}
    for key, goal in imports:
        for name in {event.type for event in goal.events}:
            found.setdefault(name, []).append(key)
    return found


def _group_goals() -> dict[str, list[dg.AssetKey]]:
    """Return the assets of the goals that import each type of groups."""
    found: dict[str, list[dg.AssetKey]] = {}
    for connection in _connections():
        for goal in connection.group_goals:
            found.setdefault(goal.type, []).append(dg.AssetKey([connection.name, goal.name]))
    return found
