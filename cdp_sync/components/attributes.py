"""How attributes of a defs.yaml become values: as they are written, checked by our own models.

Dagster renders every string of a defs.yaml as a template, which turns `"1"` into a number, `"None"` into nothing and
strips quotes. So leaf values are handed through as they are; templates are filled where they are useful, in the
server's fields.
"""

from typing import Any

import dagster as dg

from cdp_sync.orchestration.templates import fill, names_only_environment


def filled_in(context: dg.ResolutionContext, value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """Fill a template such as `{{ env('SFTP_PORT', '2222') }}`; any other value stays as it is written."""
    return fill(value) if names_only_environment(value) else context.resolve_value(value)


def as_written(description: str, kind: Any = None, **more: Any) -> dg.Resolver:  # noqa: ANN401 - types are values here
    """Return the resolver of an attribute that is taken as it is written.

    Args:
        description: Shown in editors and in the Docs tab.
        kind: The attribute's type, where Dagster cannot tell it.
        more: Further arguments of the resolver, such as examples.
    """
    return dg.Resolver(
        lambda _context, value: value,
        model_field_type=kind,
        inject_before_resolve=False,
        description=description,
        **more,
    )
