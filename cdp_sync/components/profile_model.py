"""The `ProfileModel` component: the properties that every profile has."""

from collections.abc import Iterator

import dagster as dg

from cdp_sync.components.declared import DeclaredComponent
from cdp_sync.model import Declared, Profiles
from cdp_sync.model.segment_problems import find_profile_problems
from cdp_sync.orchestration.declaration_files import (
    PROFILE_MODEL,
    declaration_files,
    find_second,
    read_declaration,
    refuse,
)
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
        for document in read_declaration(file).documents:
            goals = document.attributes.get("import_profiles")
            names = [goal.get("name") for goal in goals if isinstance(goal, dict)] if isinstance(goals, list) else []
            yield from (dg.AssetKey([str(document.attributes.get("name")), str(name)]) for name in names)
