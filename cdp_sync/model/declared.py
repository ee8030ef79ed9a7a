"""The base of everything an author declares."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
"""Connections, goals and properties: they become table columns, asset keys and job names."""

PropertyType = Literal["text", "email", "number", "decimal", "date", "datetime", "boolean"]
"""What the values of a property are."""


class Declared(BaseModel):
    """A frozen value; a key nobody knows is an error, not a comment."""

    # Most are parts of others, whose validators include theirs: one of their own is built when it is asked for.
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True)
