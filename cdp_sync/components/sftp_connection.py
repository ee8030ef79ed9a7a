"""The `SftpConnection` component: one SFTP server and its goals."""

from collections.abc import Sequence
from typing import Annotated, Any, NewType

import dagster as dg
from pydantic import Field

from cdp_sync.components.attributes import as_written
from cdp_sync.components.profile_model import declared_profiles
from cdp_sync.model import NAME_PATTERN, Connection, ExportGoal, ImportGoal, Notifications, Schedule, SftpServer, Watch
from cdp_sync.model.consistency import find_slips
from cdp_sync.model.reading import ServerAttributes
from cdp_sync.orchestration.connection import build_connection
from cdp_sync.orchestration.declared import refuse

_GOAL = {
    "name": "customers",
    "directory": "/inbox",
    "files": "customers_*.csv",
    "link": [{"field": "Email", "property": "email"}],
    "map": [{"field": "FirstName", "property": "first_name"}],
}
_WATCH = {"every_seconds": 30}
_NOTIFIED = {"emails": ["team@example.org"], "on": "failure"}
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
    return SftpServer(
        **{
            name: context.resolve_value(field) if isinstance(field, str) and "{{" in field else field
            for name, field in given.items()
        }
    )


Server = NewType("Server", SftpServer)
DeclaredSchedule = NewType("DeclaredSchedule", Schedule)
DeclaredWatch = NewType("DeclaredWatch", Watch)
ImportGoals = NewType("ImportGoals", tuple[ImportGoal, ...])
ExportGoals = NewType("ExportGoals", tuple[ExportGoal, ...])
Notified = NewType("Notified", Notifications)
"""Checked by our own models: to Dagster opaque types."""


@dg.scaffold_with(SftpConnectionScaffolder)
class SftpConnection(dg.Component, dg.Model, dg.Resolvable):
    """Exchanges delimited files with an SFTP server.

    Every goal becomes one asset with the steps *scan directory*, *parse files*, *link identifiers* and *upsert
    profiles*; the connection becomes a job that runs its enabled goals in the order listed.
    """

    name: Annotated[
        str, Field(pattern=NAME_PATTERN), as_written("Identifier; prefix of asset keys, job, schedule and sensor.")
    ]
    server: Annotated[
        Server,
        dg.Resolver(
            _rendered, model_field_type=ServerAttributes, inject_before_resolve=False,
            description="How to reach the server, and how to know that it is the right one.",
        ),
    ]  # fmt: skip
    title: Annotated[str | None, as_written("What people call it.")] = None
    enabled: Annotated[bool, as_written("Off: no schedule, no sensor; runs by hand only.")] = True
    owners: Annotated[Sequence[str], as_written("E-mail addresses or `team:` names, shown in the catalog.")] = ()
    objectives: Annotated[
        Sequence[str],
        as_written("Objectives: only profiles whose consent allows one of them are imported and exported."),
    ] = ()
    notifications: Annotated[
        Notified | None,
        as_written("Who gets mail about runs; nobody unless declared.", Notifications | None, examples=[_NOTIFIED]),
    ] = None
    watch: Annotated[
        DeclaredWatch | None,
        as_written(
            "Looks for new files in between, and runs when some arrived.",
            Watch | None,
            examples=[{"every_seconds": 30}],
        ),
    ] = None
    schedule: Annotated[
        DeclaredSchedule | None,
        as_written("When it runs by itself.", Schedule | None, examples=[{"every_minutes": 15}]),
    ] = None
    import_profiles: Annotated[
        ImportGoals,
        as_written("Import goals, in running order.", Sequence[ImportGoal], examples=[[_GOAL]]),
    ] = ImportGoals(())
    export_profiles: Annotated[
        ExportGoals,
        as_written("Export goals, in running order, behind the imports.", Sequence[ExportGoal], examples=[[_EXPORT]]),
    ] = ExportGoals(())

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Describe the type for the Docs tab."""
        return dg.ComponentTypeSpec(description="Exchanges delimited files with an SFTP server.", tags=["cdp", "sftp"])

    @property
    def connection(self) -> Connection:
        """The declared connection."""
        fields = {name: getattr(self, name) for name in Connection.model_fields}
        return Connection(**fields)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Check the declaration against the profile, and build asset, job and resource."""
        profiles = declared_profiles()
        refuse(context.path / "defs.yaml", [f"attributes.{slip}" for slip in find_slips(self.connection, profiles)])
        return build_connection(self.connection, profiles)
