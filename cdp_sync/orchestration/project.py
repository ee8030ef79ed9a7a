"""The project as a whole: every declared component, loaded so that a broken one does not take the others down."""

import importlib
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType

import dagster as dg
from dagster.components.core.load_defs import get_library_json_enriched_defs  # the Docs tab; not public

from cdp_sync.errors import DeclarationError
from cdp_sync.orchestration.places import data_folder
from cdp_sync.orchestration.resources import WarehouseResource

_PACKAGE = "cdp_sync"
_STRICT = "DAGSTER_IS_DEFS_VALIDATION_CLI"
"""Set by `dg check defs` and `dagster definitions validate`, where every error shall be fatal."""


def load_project() -> dg.Definitions:
    """Load every component below `cdp_sync/defs`, or below the folder that `CDP_SYNC_DEFS` names."""
    tree = component_tree()
    if os.environ.get(_STRICT):
        parts = [tree.build_defs()]
    else:
        # Without the tree: the code server walks an attached tree and fails on the broken child after all.
        parts = [get_library_json_enriched_defs(None), *(_build(tree, child) for child in _children(tree))]
    return dg.Definitions.merge(*parts, shared())


def load_connection(name: str) -> dg.Definitions:
    """Load one connection and what it needs, for a run of it alone: quicker than the whole project.

    Where no folder of that name declares it, the whole project is loaded.
    """
    tree = component_tree()
    if name.isidentifier() and (tree.defs_module_path / name).is_dir():
        try:
            found = tree.build_defs_at_path(Path(name))
        except Exception as error:
            raise DeclarationError(reason_of(error)) from error
        if any(job.name == f"{name}_sync" for job in found.jobs or ()):
            return dg.Definitions.merge(found, shared())
    return load_project()


def reason_of(error: Exception) -> str:
    """Return what is wrong with a declaration, without the drawing of the tree that Dagster puts around it."""
    while isinstance(error.__cause__, Exception) and not isinstance(error, DeclarationError):
        error = error.__cause__
    return str(error)


def component_tree() -> dg.ComponentTree:
    """Return the tree of declared components."""
    warnings.filterwarnings("ignore", category=dg.BetaWarning)  # of Dagster about its own parts; nothing to act on
    root = Path(__file__).parents[2]
    return dg.ComponentTree(defs_module=_defs_module(), project_root=root, code_location_name=_PACKAGE)


def shared() -> dg.Definitions:
    """Return what all connections share: the warehouse, and the executor.

    One process a run: the default, one process a step, would load every definition again for each of the short steps.
    """
    warehouse = WarehouseResource(path=str(data_folder().warehouse))
    return dg.Definitions(resources={"warehouse": warehouse}, executor=dg.in_process_executor)


def _defs_module() -> ModuleType:
    """Return the module that holds the declarations; a folder elsewhere becomes a module of its own."""
    folder = os.environ.get("CDP_SYNC_DEFS")
    if not folder:
        return importlib.import_module(f"{_PACKAGE}.defs")
    module = ModuleType("cdp_sync_declared")
    module.__path__ = [str(Path(folder).absolute())]
    module.__file__ = None
    return sys.modules.setdefault(module.__name__, module)


def _children(tree: dg.ComponentTree) -> list[Path]:
    return sorted(child for child in tree.defs_module_path.iterdir() if child.is_dir() and child.name[0] not in "_.")


def _build(tree: dg.ComponentTree, child: Path) -> dg.Definitions:
    try:
        return tree.build_defs_at_path(child.relative_to(tree.defs_module_path))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the others must load
        return _broken(child.name, error)


def _broken(name: str, error: Exception) -> dg.Definitions:
    """Show the broken component in the catalog, with the file and the place of the slip."""
    reason = reason_of(error)
    dg.get_dagster_logger().error(f"{name} is not loaded: {reason}")
    return dg.Definitions(
        assets=[
            dg.AssetSpec(
                ["broken_connections", name],
                group_name="broken_connections",
                description=f"Not loaded:\n```\n{reason}\n```",
            )
        ]
    )
