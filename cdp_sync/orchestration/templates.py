"""Renders templates such as `{{ env('SFTP_PORT', '2222') }}` as Dagster does, without Dagster."""

import ast
import os
import re
from typing import Any, TypeGuard

_VARIABLE = re.compile(r"\{\{ *env\('(?P<name>[^'\\\n]*)'(?:, *'(?P<default>[^'\\\n]*)')?\) *\}\}")
"""A template of one variable, with a default or without."""


class _Environment:
    def __call__(self, name: str, default: Any = ...) -> Any:  # noqa: ANN401 - whatever the template gives
        """Return a variable, or the default."""
        value = os.environ.get(name, default)
        if value is ...:
            raise ValueError(f"the environment variable {name} is not set; a default is written env('{name}', '…')")
        return value

    def __getattr__(self, name: str) -> str | None:
        if name.startswith("jinja"):  # Jinja looks for methods of its own
            raise AttributeError(name)
        return os.environ.get(name)


def names_only_environment(value: object) -> bool:
    """Return whether a value holds no template, or one that uses nothing but `env`; Dagster renders others."""
    if not is_template(value) or _is_simple(value):
        return True
    from jinja2 import Environment, TemplateSyntaxError, meta

    try:
        return meta.find_undeclared_variables(Environment().parse(str(value))) <= {"env"}  # noqa: S701 - no HTML
    except TemplateSyntaxError:
        return True


def fill(value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the value of a template, as a number if it looks like one; return a value without a template as it is.

    Raises:
        ValueError: The template is malformed, or names a variable that is not set and has no default.
    """
    if not is_template(value):
        return value
    if _is_simple(value):
        text = _VARIABLE.sub(_variable, value)
        try:
            return ast.literal_eval(ast.parse(text, mode="eval"))
        except (ValueError, SyntaxError, MemoryError):
            return text
    from jinja2 import TemplateError
    from jinja2.nativetypes import NativeTemplate

    try:
        return NativeTemplate(value).render(env=_Environment())
    except TemplateError as error:
        raise ValueError(f"the template {value!r} cannot be filled: {error.message}") from None


def _is_simple(value: str) -> bool:
    """Return whether a template names variables and nothing else: filled without Jinja, whose import takes long."""
    return not set("{}%#\n") & set(_VARIABLE.sub("", value))


def _variable(found: re.Match[str]) -> str:
    name, default = found["name"], found["default"]
    return str(_Environment()(name, ... if default is None else default))


def is_template(value: object) -> TypeGuard[str]:
    """Return whether a value is text that holds a template."""
    return isinstance(value, str) and "{{" in value
