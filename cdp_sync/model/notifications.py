"""Who gets mail about a connection's runs."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.mail_address import is_address


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError(
            "this is not an e-mail address; needed is one such as team@example.com, without a name beside it"
        )
    return text


def _some(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise ValueError("there is no address; needed is at least one")
    return addresses


class Notifications(Declared):
    """Who gets mail about a connection's runs, and about which of them."""

    emails: Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], AfterValidator(_some)]
    """E-mail addresses; at least one."""
    on: Literal["failure", "every_run"] = "failure"
    """Mail about failed runs only, or about every run."""

    @model_validator(mode="before")
    @classmethod
    def _on_is_a_word(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was written
        # YAML 1.1, which PyYAML reads, takes the key `on` for "true".
        if not isinstance(given, dict):
            return given
        return {"on" if key is True else key: value for key, value in given.items()}

    def wanted(self, *, failed: bool) -> bool:
        """Whether there shall be mail about a run."""
        return failed or self.on == "every_run"
