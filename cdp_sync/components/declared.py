"""Declared values as components: Dagster checks attributes with the value's own model, and fills no template.

By default Dagster renders every text of a defs.yaml as a template, which turns `"1"` into a number, `"None"` into
nothing, and strips quotes.
"""

import json
from typing import Any, ClassVar, Self

import dagster as dg
from pydantic import BaseModel, ValidationError

from cdp_sync import model
from cdp_sync.model import Connection, ConnectionKind, Declared
from cdp_sync.model.kind import FILLED
from cdp_sync.model.reading import problems_of
from cdp_sync.orchestration.declaration_files import refuse
from cdp_sync.orchestration.project import build_declared
from cdp_sync.orchestration.templates import fill, names_only_environment


class Scaffolder(dg.Scaffolder):
    """Writes a `defs.yaml` that loads, of the examples in the component's model."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Write the attributes that are needed, and those that show what the component is for."""
        _, _, name = request.type_name.rpartition(".")
        import cdp_sync.components as types

        dg.scaffold_component(request, getattr(types, name).scaffolded(request.target_path.name))


@dg.scaffold_with(Scaffolder)
class DeclaredComponent(dg.Component):
    """A component whose attributes are a declared value."""

    model: ClassVar[type[Declared]]
    summary: ClassVar[str]
    tags: ClassVar[tuple[str, ...]] = ("cdp",)

    def __init__(self, declared: Any) -> None:  # noqa: ANN401 - of the component's model
        self.declared = declared

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Return the model of the attributes, which editors and the Docs tab show."""
        return cls.model

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Describe the type for the Docs tab."""
        return dg.ComponentTypeSpec(description=cls.summary, tags=list(cls.tags))

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Return the component of a defs.yaml."""
        return cls(attributes or cls.model())

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Check the declaration against the rest of the project, and build its definitions."""
        return build_declared(self.declared, context.path / "defs.yaml")

    @classmethod
    def scaffolded(cls, name: str) -> dict[str, Any]:
        """Return the attributes that scaffolding writes."""
        return examples_in(cls.model)


class Lifecycle(DeclaredComponent):
    """Declares a lifecycle: who is in it, and its stages. A project can have any number.

    The stages are an asset, and are kept by a job, and by runs of connections that export by them.
    """

    summary = "The stages of a customer's way, each with its condition."
    model = model.Lifecycle

    @classmethod
    def scaffolded(cls, name: str) -> dict[str, Any]:
        """Return a lifecycle of the name that was given, switched off."""
        return examples_in(cls.model) | {"name": name, "enabled": False}


class Maintenance(DeclaredComponent):
    """Removes, once a day, what Dagster keeps of runs that ended long ago. A project has one.

    The warehouse's own history stays, and so does what the catalog shows of each asset and each file.
    """

    summary = "Removes the records of runs that ended long ago."
    model = model.Maintenance


class ProfileModel(DeclaredComponent):
    """Declares the properties that a profile has. A project has one.

    Adding a property adds its column; a property that is no longer declared keeps its values.
    """

    summary = "The properties that every profile has."
    model = model.Profiles


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


def examples_in(declared: type[Declared], *optional: str) -> dict[str, Any]:
    """Return the first example of each attribute that is required, and then of these optional ones."""
    fields = declared.model_fields
    shown = [*(name for name, field in fields.items() if field.is_required()), *optional]
    return {name: examples[0] for name in shown if (examples := fields[name].examples)}
