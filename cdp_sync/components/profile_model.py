"""The `ProfileModel` component: the properties that every profile has."""

from cdp_sync.components.declared import DeclaredComponent
from cdp_sync.model import Declared, Profiles


class ProfileModel(DeclaredComponent):
    """Declares the properties that a profile has. A project has one.

    Adding a property adds its column; a property that is no longer declared keeps its values.
    """

    summary = "The properties that every profile has."

    @classmethod
    def model(cls) -> type[Declared]:
        """Return the model of the attributes."""
        return Profiles
