"""Secrets from the environment: declarations only name the variable."""

from collections.abc import Mapping

from cdp_sync.errors import SecretMissing


def secret_of(environ: Mapping[str, str], name: str, what: str) -> str:
    """Return what the variable `name` holds; `what` it should hold is named in the error.

    Raises:
        SecretMissing: It is not set, or empty.
    """
    value = environ.get(name)
    if not value:
        raise SecretMissing(
            f"The environment variable {name} is {'empty' if name in environ else 'not set'}.",
            needed=f"It should hold the {what}.",
            remedy=f"Set {name} where cdp_sync runs, or name another variable in defs.yaml.",
        )
    return value
