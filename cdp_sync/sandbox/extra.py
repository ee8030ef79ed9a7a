"""The packages that the sandbox needs: the extra `sandbox`."""

from importlib.util import find_spec

from cdp_sync.errors import Terminal

_MODULES = {
    "aiosmtpd": "aiosmtpd",
    "faker": "faker",
    "python-multipart": "python_multipart",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
}
"""The packages of the extra that run here, and what each is imported as."""


def require_extra(*, otherwise: str = "") -> None:
    """Make sure that the extra is installed.

    Args:
        otherwise: A sentence that says what works without it.

    Raises:
        Terminal: It is not installed; names what is missing and how to install it.
    """
    missing = [package for package, module in _MODULES.items() if find_spec(module) is None]
    if missing:
        raise Terminal(
            f"The sandbox's servers need packages that are not installed: {', '.join(missing)}.",
            needed="The extra `sandbox` of cdp-sync must be installed.",
            remedy=f'Install it: pip install "cdp-sync[sandbox]", or a wheel: pip install "PATH[sandbox]".{otherwise}',
        )
