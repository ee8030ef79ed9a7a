"""Components of connections: one type for each kind in the registry, made of the kind's declared model."""

import json
from typing import Any, ClassVar, Self

import dagster as dg
from pydantic import BaseModel, ValidationError

from cdp_sync.components.declared import DeclaredComponent, examples_in
from cdp_sync.model import Connection, ConnectionKind
from cdp_sync.model.kind import FILLED
from cdp_sync.model.reading import problems_of
from cdp_sync.orchestration.declaration_files import refuse
from cdp_sync.orchestration.templates import fill, names_only_environment


class ConnectionComponent(DeclaredComponent):
    """A connection with its goals: an asset each, and a job that runs the enabled ones in the order listed."""

    kind: ClassVar[ConnectionKind]

    @property
    def connection(self) -> Connection:
        """The declared connection."""
        connection: Connection = self.declared
        return connection

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Return the component of a defs.yaml, with its templates filled."""
        given = {name: getattr(attributes, name) for name in attributes.model_fields_set} if attributes else {}
        for name in cls.kind.templated:
            if name in given:
                given[name] = _filled(context.resolution_context, given[name])
        try:
            return cls(cls.model.model_validate(given, context=FILLED))
        except ValidationError as error:  # a template yields what cannot be
            refuse(context.path / "defs.yaml", [f"attributes{problem}" for problem in problems_of(error, cls.model)])
            raise

    @classmethod
    def scaffolded(cls, name: str) -> dict[str, Any]:
        """Return a connection with one import goal, switched off."""
        examples = json.dumps(examples_in(cls.model, *cls.kind.scaffolded))
        named: dict[str, Any] = json.loads(examples.replace("shop", name).replace("SHOP", name.upper()))
        return {"name": name, "enabled": False} | named


def component_of(kind: ConnectionKind) -> type[ConnectionComponent]:
    """Return the component type of a kind of connection."""
    model = kind.part("model")
    members = {"kind": kind, "model": model, "summary": kind.summary, "tags": ("cdp", kind.platform)}
    shown = {"__doc__": (model.__doc__ or kind.summary).strip(), "__module__": "cdp_sync.components"}
    return type(kind.name, (ConnectionComponent,), members | shown)


def _filled(context: dg.ResolutionContext, value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """Fill templates such as `{{ env('SFTP_PORT', '2222') }}` in a text, or in the fields of a value."""
    if isinstance(value, BaseModel):
        return {name: _filled(context, getattr(value, name)) for name in value.model_fields_set}
    return fill(value) if names_only_environment(value) else context.resolve_value(value)
