"""The `ProfileModel` component: the properties that every profile has."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, NewType

import dagster as dg
import yaml

from cdp_sync.components.attributes import as_written
from cdp_sync.model import Objective, Profiles, Property, Segment
from cdp_sync.model.segment_problems import find_profile_problems
from cdp_sync.model.yaml_lines import Loader
from cdp_sync.orchestration.declaration_files import PROFILE_MODEL, declaration_files, find_second, refuse
from cdp_sync.orchestration.goals.segments import build_segments

_EXAMPLE = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "first_name", "type": "text"},
    {"name": "order_total", "type": "decimal"},
]
_SEGMENT = {"name": "big_spenders", "title": "Spent 40 or more", "when": {"property": "order_total", "at_least": 40}}


class ProfileModelScaffolder(dg.Scaffolder):
    """Writes a `defs.yaml` that loads."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Write a model with an identifier and two properties."""
        dg.scaffold_component(request, {"properties": _EXAMPLE})


Properties = NewType("Properties", tuple[Property, ...])
Zones = NewType("Zones", dict[str, str])
Objectives = NewType("Objectives", tuple[Objective, ...])
Segments = NewType("Segments", tuple[Segment, ...])
"""Checked by our own model: to Dagster opaque types."""


@dg.scaffold_with(ProfileModelScaffolder)
class ProfileModel(dg.Component, dg.Model, dg.Resolvable):
    """Declares the properties that a profile has. A project has one.

    Adding a property adds its column; a property that is no longer declared keeps its values.
    """

    properties: Annotated[
        Properties,
        as_written("The properties, in column order.", Sequence[Property], examples=[_EXAMPLE]),
    ]
    zones: Annotated[
        Zones,
        as_written("Whether consent is `opt_in` or `opt_out`, by zone of legislation.", Mapping[str, str]),
    ] = Zones({})
    objectives: Annotated[
        Objectives,
        as_written("What data is used for; connections can be bound to them.", Sequence[Objective]),
    ] = Objectives(())
    segments: Annotated[
        Segments,
        as_written("Groups of profiles, told by conditions.", Sequence[Segment], examples=[[_SEGMENT]]),
    ] = Segments(())

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Describe the type for the Docs tab."""
        return dg.ComponentTypeSpec(description="The properties that every profile has.", tags=["cdp"])

    @property
    def profiles(self) -> Profiles:
        """The declared profile."""
        return Profiles.model_validate({name: getattr(self, name) for name in Profiles.model_fields})

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Make an asset for each segment; other components ask for the declared profile."""
        file = context.path / "defs.yaml"
        second = [problem for second, problem in find_second(PROFILE_MODEL) if second == file]
        refuse(file, [*second, *(f"attributes.{slip}" for slip in find_profile_problems(self.profiles))])
        return build_segments(self.profiles, _import_keys())


def _import_keys() -> Iterator[dg.AssetKey]:
    """Yield the assets of all import goals; what is wrong with a file is told where it is loaded."""
    for file in declaration_files():
        with suppress(yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            text = file.read_text(encoding="utf-8")
            attributes = yaml.load(text, Loader=Loader)["attributes"]  # noqa: S506 - a safe one
            goals = attributes.get("import_profiles", ())
            yield from [dg.AssetKey([attributes["name"], goal["name"]]) for goal in goals]
