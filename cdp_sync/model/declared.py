"""The base of everything an author declares."""

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
"""Connections, goals and properties: they become table columns, asset keys and job names."""

PropertyType = Literal["text", "email", "number", "decimal", "date", "datetime", "boolean", "group"]
"""What the values of a property are."""


class Declared(BaseModel):
    """A frozen value; a key nobody knows is an error, not a comment."""

    # Most are parts of others, whose validators include theirs: one of their own is built when it is asked for.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe the fields by the docstrings below them.

        They are read from the source, which takes as long as all models take to load; so only where a schema is shown.
        """
        written = handler.resolve_ref_schema(handler(schema))
        for base in cls.__mro__:  # what a subclass says of a field comes first
            if base is not Declared and issubclass(base, Declared):
                for name, text in _docstrings(base).items():
                    if field := cls.model_fields.get(name):
                        written["properties"][field.alias or name].setdefault("description", text)
        return written


@cache
def _docstrings(model: type) -> dict[str, str]:
    """Return the docstrings of the fields; none of a model that is made of a table, which describes them itself."""
    found = {}
    for pair in pairwise(_classes(model.__module__).get(model.__qualname__, ())):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found


@cache
def _classes(module: str) -> dict[str, list[ast.stmt]]:
    """Return the bodies of a module's classes. The module is parsed once: for each class anew takes seconds."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except OSError:  # without its source
        return {}
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}
