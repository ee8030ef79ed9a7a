"""Which code location of Dagster's workspace this project is: by it the UI files runs, by job and on the timeline.

Dagster notes it with the runs that it launches itself. It is only named here: neither a webserver nor a code server is
needed for that.
"""

from collections.abc import Sequence
from pathlib import Path

from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import (  # not public, and what the UI files a run by
    CodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths

_NAME = "cdp_sync"
_MODULE = "cdp_sync.definitions"
_WORKSPACE = Path("workspace.yaml")


def job_origin(job: str) -> RemoteJobOrigin:
    """Return where the webserver of this folder finds a job: in the location that `workspace.yaml` declares."""
    return RemoteRepositoryOrigin(_location(), SINGLETON_REPOSITORY_NAME).get_job_origin(job)


def _location() -> CodeLocationOrigin:
    """Return the declared location that loads this project; the repository's own where none is declared."""
    usual = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=_MODULE), _NAME)
    declared = _declared()
    of_module = [each for each in declared if _module_of(each) == _MODULE]
    of_name = [each for each in declared if each.location_name == _NAME]
    return next(iter([*of_module, *of_name]), usual)


def _declared() -> Sequence[CodeLocationOrigin]:
    if not _WORKSPACE.exists():
        return []
    try:
        return location_origins_from_yaml_paths([str(_WORKSPACE)])
    except Exception:  # noqa: BLE001 - the webserver says what is wrong with the file; no run fails for it
        return []


def _module_of(location: CodeLocationOrigin) -> str | None:
    if isinstance(location, ManagedGrpcPythonEnvCodeLocationOrigin):
        return location.loadable_target_origin.module_name
    return None
