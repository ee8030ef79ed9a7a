"""What the components of all kinds of connections have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, NewType

import dagster as dg
from pydantic import Field, ValidationError

from cdp_sync.components.attributes import as_written
from cdp_sync.model import NAME_PATTERN, Notifications, SailthruConnection, Schedule, SftpConnection
from cdp_sync.model.consistency import find_slips
from cdp_sync.model.reading import slips_of
from cdp_sync.orchestration.connection import build_connection
from cdp_sync.orchestration.declaration_files import declared_profiles, refuse

_NOTIFIED = {"emails": ["team@example.org"], "on": "failure"}

DeclaredSchedule = NewType("DeclaredSchedule", Schedule)
Notified = NewType("Notified", Notifications)
"""Checked by our own models: to Dagster opaque types."""


class ConnectionComponent(dg.Component, dg.Model, dg.Resolvable):
    """A connection with its goals: an asset each, and a job that runs the enabled ones in the order listed."""

    name: Annotated[
        str, Field(pattern=NAME_PATTERN), as_written("Identifier; prefix of asset keys, job, schedule and sensor.")
    ]
    title: Annotated[str | None, as_written("What people call it.")] = None
    enabled: Annotated[bool, as_written("Off: no schedule, no sensor; runs by hand only.")] = True
    was: Annotated[
        str | None, as_written("Former name of a renamed connection, whose ledger its goals go on with.")
    ] = None
    owners: Annotated[Sequence[str], as_written("E-mail addresses or `team:` names, shown in the catalog.")] = ()
    objectives: Annotated[
        Sequence[str],
        as_written("Objectives: only profiles whose consent allows one of them are imported and exported."),
    ] = ()
    notifications: Annotated[
        Notified | None,
        as_written("Who gets mail about runs; nobody unless declared.", Notifications | None, examples=[_NOTIFIED]),
    ] = None
    schedule: Annotated[
        DeclaredSchedule | None,
        as_written("When it runs by itself.", Schedule | None, examples=[{"every_minutes": 15}]),
    ] = None

    @property
    @abstractmethod
    def connection(self) -> SftpConnection | SailthruConnection:
        """The declared connection."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Check the declaration against the profile, and build assets, job and resource."""
        profiles, file = declared_profiles(), context.path / "defs.yaml"
        try:
            connection = self.connection
        except ValidationError as error:  # a template yields what cannot be
            refuse(file, [f"attributes{slip}" for slip in slips_of(error, SailthruConnection)])
            raise
        refuse(file, [f"attributes.{slip}" for slip in find_slips(connection, profiles)])
        return build_connection(connection, profiles)
