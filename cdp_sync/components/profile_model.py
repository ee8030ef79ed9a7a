"""The `ProfileModel` component: the properties that every profile has."""

from collections.abc import Iterator
from contextlib import suppress

import dagster as dg
import yaml

from cdp_sync.components.declared import DeclaredComponent
from cdp_sync.model import Declared, Profiles
from cdp_sync.model.segment_problems import find_profile_problems
from cdp_sync.model.yaml_lines import Loader
from cdp_sync.orchestration.declaration_files import PROFILE_MODEL, declaration_files, find_second, refuse
from cdp_sync.orchestration.goals.segments import build_segments


class ProfileModel(DeclaredComponent):
    """Declares the properties that a profile has. A project has one.

    Adding a property adds its column; a property that is no longer declared keeps its values.
    """

    summary = "The properties that every profile has."

    @classmethod
    def model(cls) -> type[Declared]:
        """Return the model of the attributes."""
        return Profiles

    @property
    def profiles(self) -> Profiles:
        """The declared profile."""
        profiles: Profiles = self.declared
        return profiles

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Make an asset for each segment; other components ask for the declared profile."""
        file = context.path / "defs.yaml"
        second = [problem for second, problem in find_second(PROFILE_MODEL) if second == file]
        refuse(file, [*second, *(f"attributes.{problem}" for problem in find_profile_problems(self.profiles))])
        return build_segments(self.profiles, _import_keys())


def _import_keys() -> Iterator[dg.AssetKey]:
    """Yield the assets of all import goals; a problem of a file is reported where the file is loaded."""
    for file in declaration_files():
        with suppress(yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            text = file.read_text(encoding="utf-8")
            attributes = yaml.load(text, Loader=Loader)["attributes"]  # noqa: S506 - a safe one
            goals = attributes.get("import_profiles", ())
            yield from [dg.AssetKey([attributes["name"], goal["name"]]) for goal in goals]
