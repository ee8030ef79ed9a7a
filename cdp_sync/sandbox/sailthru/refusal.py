"""What the API says no with: a status, a code and a text."""

from typing import Any


class Refused(Exception):
    """A call is answered with an error.

    Args:
        status: Of HTTP.
        code: Sailthru's.
        message: Its text.
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @property
    def told(self) -> dict[str, Any]:
        """The answer: these two keys and no other."""
        return {"error": self.code, "errormsg": self.message}

    @property
    def xml(self) -> str:
        """The answer to who did not ask for JSON."""
        escaped = self.message.replace("&", "&amp;").replace("<", "&lt;")
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            f"<triggermail><error>{self.code}</error><errormsg>{escaped}</errormsg></triggermail>\n"
        )


def missing(parameter: str) -> Refused:
    """Return what is said when a parameter is not there."""
    return Refused(400, 2, f"Missing required parameter: {parameter}")


def invalid(message: str) -> Refused:
    """Return what is said of everything that has no code of its own."""
    return Refused(400, 99, message)


def unknown_list(name: str) -> Refused:
    """Return what is said of a list that is not there."""
    return Refused(404, 15, f"Unknown list: {name}")


def unknown_user(key: str, value: str, *, status: int = 400) -> Refused:
    """Return what is said of a user who is not there: 400 to who reads, 404 to who deletes."""
    return Refused(status, 99, f"User not found with {key}: {value}")
