"""The `SailthruConnection` component: one account with Sailthru and its goals."""

from collections.abc import Sequence
from typing import Annotated, NewType

import dagster as dg

from cdp_sync.components.attributes import as_written, filled_in
from cdp_sync.components.connection import ConnectionComponent
from cdp_sync.model import ListGoal, SailthruAccount, UserExportGoal
from cdp_sync.model import SailthruConnection as Declared

_GOAL = {
    "name": "newsletter",
    "lists": ["Newsletter"],
    "link": [{"field": "email", "property": "email"}],
    "map": [{"field": "first_name", "property": "first_name"}],
}
_EXPORT = {
    "name": "big_spenders",
    "segment": "big_spenders",
    "link": [{"field": "email", "property": "email"}],
    "map": [{"field": "first_name", "property": "first_name"}],
    "lists": ["Big spenders"],
    "remove_from_lists": True,
}


class SailthruConnectionScaffolder(dg.Scaffolder):
    """Writes a `defs.yaml` that loads."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Write a connection with one import goal, switched off."""
        name = request.target_path.name
        secrets = {"api_key_env": f"{name.upper()}_API_KEY", "api_secret_env": f"{name.upper()}_API_SECRET"}
        attributes = {"name": name, "enabled": False, **secrets, "time_zone": "UTC", "import_profiles": [_GOAL]}
        dg.scaffold_component(request, attributes)


ListGoals = NewType("ListGoals", tuple[ListGoal, ...])
UserExportGoals = NewType("UserExportGoals", tuple[UserExportGoal, ...])
"""Checked by our own models: to Dagster opaque types."""

_DEFAULT_URL = SailthruAccount.model_fields["base_url"].default


@dg.scaffold_with(SailthruConnectionScaffolder)
class SailthruConnection(ConnectionComponent):
    """Imports people from Sailthru's lists, and brings segments to its users and lists.

    Every import goal becomes one asset with the steps *fetch profiles*, *link identifiers* and *upsert profiles*, every
    export goal one with *select segment*, *write users*, *deliver users* and *record delivery*; the connection becomes
    a job that runs its enabled goals in the order listed.
    """

    api_key_env: Annotated[str, as_written("Environment variable that holds the API key.")]
    api_secret_env: Annotated[str, as_written("Environment variable that holds the API secret.")]
    time_zone: Annotated[str, as_written("IANA name of the account's time zone, as its settings say.")] = "UTC"
    base_url: Annotated[
        str,
        dg.Resolver(
            filled_in, model_field_type=str, inject_before_resolve=False,
            description="Where the API is; another one than Sailthru's for a sandbox.",
        ),
    ] = _DEFAULT_URL  # fmt: skip
    import_profiles: Annotated[
        ListGoals,
        as_written("Import goals, in running order.", Sequence[ListGoal], examples=[[_GOAL]]),
    ] = ListGoals(())
    export_profiles: Annotated[
        UserExportGoals,
        as_written(
            "Export goals, in running order, behind the imports.", Sequence[UserExportGoal], examples=[[_EXPORT]]
        ),
    ] = UserExportGoals(())

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Describe the type for the Docs tab."""
        return dg.ComponentTypeSpec(description="Exchanges people with Sailthru.", tags=["cdp", "sailthru"])

    @property
    def connection(self) -> Declared:
        """The declared connection."""
        return Declared(**{name: getattr(self, name) for name in Declared.model_fields})
