"""Where a project is: found by its folder, or by what `CDP_SYNC_DEFS` names. Imports next to nothing."""

import os
from pathlib import Path

from cdp_sync.calling import call
from cdp_sync.errors import NoProject, SettingUnusable

_OF_CLONE = Path(__file__).parents[1] / "defs"
"""The declarations of a clone of the repository; an installed package has none."""


def is_project(folder: Path) -> bool:
    """Return whether a folder is a project's: it holds `dagster.yaml` and the folder `defs`."""
    return (folder / "dagster.yaml").is_file() and (folder / "defs").is_dir()


def enter_project() -> None:
    """Change into the nearest project at or above the working directory, if there is one.

    Nothing changes where `CDP_SYNC_DEFS` names the declarations.
    """
    if os.environ.get("CDP_SYNC_DEFS"):
        return
    here = Path.cwd()
    if found := next(filter(is_project, (here, *here.parents)), None):
        os.chdir(found)


def defs_folder() -> Path:
    """Return the folder of declarations: `CDP_SYNC_DEFS`, `defs` of the project here, or `cdp_sync/defs` of a clone.

    Raises:
        SettingUnusable: `CDP_SYNC_DEFS` names no folder.
        NoProject: The working directory is not a project's folder.
    """
    if named := os.environ.get("CDP_SYNC_DEFS"):
        if Path(named).is_dir():
            return Path(named).absolute()
        raise SettingUnusable(
            f"CDP_SYNC_DEFS is {named!r}, which is not a folder.",
            needed="It must name the folder of declarations.",
            remedy="Correct the variable, or unset it: then the folder defs of the project counts.",
        )
    here = Path.cwd()
    if is_project(here):
        return here / "defs"
    if _OF_CLONE.is_dir():
        return _OF_CLONE
    raise NoProject(
        f"There is no project in {here}.",
        needed="A project's folder holds dagster.yaml and the folder defs.",
        remedy=f"Change into it, or make one: {call('init FOLDER')}",
    )
