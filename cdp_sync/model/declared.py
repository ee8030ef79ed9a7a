"""The base of everything an author declares."""

from pydantic import BaseModel, ConfigDict

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
"""Connections, goals and properties: they become table columns, asset keys and job names."""


class Declared(BaseModel):
    """A frozen value; a key nobody knows is an error, not a comment."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
