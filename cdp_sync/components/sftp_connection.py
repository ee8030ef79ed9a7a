"""The `SftpConnection` component: one SFTP server and its goals."""

from collections.abc import Sequence
from typing import Annotated, Any, NewType

import dagster as dg

from cdp_sync.components.attributes import as_written, filled_in
from cdp_sync.components.connection import ConnectionComponent
from cdp_sync.model import FileExportGoal, FileGoal, SftpServer, Watch
from cdp_sync.model import SftpConnection as Declared
from cdp_sync.model.reading import ServerAttributes

_GOAL = {
    "name": "customers",
    "directory": "/inbox",
    "files": "customers_*.csv",
    "link": [{"field": "Email", "property": "email"}],
    "map": [{"field": "FirstName", "property": "first_name"}],
}
_WATCH = {"every_seconds": 30}
_EXPORT = {
    "name": "big_spenders",
    "segment": "big_spenders",
    "directory": "/outbox",
    "map": [{"field": "Email", "property": "email"}, {"field": "Total", "property": "order_total"}],
}


class SftpConnectionScaffolder(dg.Scaffolder):
    """Writes a `defs.yaml` that loads."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Write a connection with one import goal, switched off."""
        name = request.target_path.name
        server = {
            "host": "127.0.0.1",
            "port": 2222,
            "username": name,
            "password_env": f"{name.upper()}_SFTP_PASSWORD",
            "known_hosts_file": "data/sandbox/known_hosts",
        }
        attributes = {"name": name, "enabled": False, "server": server, "import_profiles": [_GOAL]}
        dg.scaffold_component(request, attributes)


def _rendered(context: dg.ResolutionContext, value: Any) -> SftpServer:  # noqa: ANN401 - whatever the file holds
    """Fill templates such as `{{ env('SFTP_PORT', '2222') }}` in the server's fields; leave the rest as written."""
    given = value.model_dump(exclude_unset=True) if isinstance(value, ServerAttributes) else value
    return SftpServer(**{name: filled_in(context, field) for name, field in given.items()})


Server = NewType("Server", SftpServer)
DeclaredWatch = NewType("DeclaredWatch", Watch)
ImportGoals = NewType("ImportGoals", tuple[FileGoal, ...])
ExportGoals = NewType("ExportGoals", tuple[FileExportGoal, ...])
"""Checked by our own models: to Dagster opaque types."""


@dg.scaffold_with(SftpConnectionScaffolder)
class SftpConnection(ConnectionComponent):
    """Exchanges delimited files with an SFTP server.

    Every goal becomes one asset with the steps *scan directory*, *parse files*, *link identifiers* and *upsert
    profiles*; the connection becomes a job that runs its enabled goals in the order listed.
    """

    server: Annotated[
        Server,
        dg.Resolver(
            _rendered, model_field_type=ServerAttributes, inject_before_resolve=False,
            description="How to reach the server, and how to know that it is the right one.",
        ),
    ]  # fmt: skip
    watch: Annotated[
        DeclaredWatch | None,
        as_written("Looks for new files in between, and runs when some arrived.", Watch | None, examples=[_WATCH]),
    ] = None
    import_profiles: Annotated[
        ImportGoals,
        as_written("Import goals, in running order.", Sequence[FileGoal], examples=[[_GOAL]]),
    ] = ImportGoals(())
    export_profiles: Annotated[
        ExportGoals,
        as_written(
            "Export goals, in running order, behind the imports.", Sequence[FileExportGoal], examples=[[_EXPORT]]
        ),
    ] = ExportGoals(())

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Describe the type for the Docs tab."""
        return dg.ComponentTypeSpec(description="Exchanges delimited files with an SFTP server.", tags=["cdp", "sftp"])

    @property
    def connection(self) -> Declared:
        """The declared connection."""
        return Declared(**{name: getattr(self, name) for name in Declared.model_fields})
