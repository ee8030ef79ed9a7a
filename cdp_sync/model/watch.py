"""Looking for new files between scheduled runs."""

from typing import Annotated

from pydantic import Field

from cdp_sync.model.declared import Declared


class Watch(Declared):
    """Looks at the server again and again, and runs the connection when files have arrived."""

    every_seconds: Annotated[int, Field(ge=5, le=86400)] = 30
    """Seconds between two looks. A file counts once a second look, after a third of that, finds it as it was."""
