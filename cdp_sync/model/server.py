"""How to reach an SFTP server."""

from typing import Annotated

from pydantic import Field, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.kind import template_or


class SftpServer(Declared):
    """How to reach an SFTP server and how to know that it is the right one.

    Secrets are never part of it: a field `…_env` names an environment variable, `…_file` a file.
    """

    host: Annotated[str, Field(min_length=1)]
    """Name or address."""
    port: Annotated[int, Field(ge=1, le=65535), template_or(int)] = 22
    """TCP port, or a template that yields one."""
    username: Annotated[str, Field(min_length=1)]
    """Account on the server."""
    password_env: str | None = None
    """Environment variable that holds the password."""
    password_file: str | None = None
    """File that holds the password, on its first line."""
    private_key_file: str | None = None
    """Private key: OpenSSH, PEM or PKCS#8. With a password as well, both are used as two factors."""
    private_key_env: str | None = None
    """Environment variable that holds the private key itself."""
    private_key_passphrase_env: str | None = None
    """Environment variable that holds the private key's passphrase."""
    host_key: str | None = None
    """The server's key, pinned: `SHA256:…` as `ssh-keygen -l` prints it."""
    known_hosts_file: str | None = None
    """File in OpenSSH's known_hosts format. Without it and without `host_key` nothing is opened."""
    legacy_algorithms: bool = False
    """Also accept aes-cbc and hmac-sha1, for appliances that offer nothing else."""
    compression: bool = False
    """Compress on the wire; worth it on slow lines only."""
    connect_timeout: Annotated[float, Field(gt=0, le=600)] = 15.0
    """Seconds until the connection must stand."""
    read_timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds without a byte after which the line counts as lost."""
    answer_timeout: Annotated[float, Field(gt=0, le=86400)] = 600.0
    """Seconds within which a listing must be whole, and every other answer but the bytes of a file."""
    least_rate: Annotated[int, Field(ge=0, le=10**9)] = 100
    """Bytes a second that a transfer must reach on average over `read_timeout`; 0: none."""
    listing_entries: Annotated[int, Field(ge=1, le=10**8)] = 1_000_000
    """Entries that a directory may have."""

    @model_validator(mode="after")
    def _check(self) -> "SftpServer":
        if not (self.password_env or self.password_file or self.private_key_file or self.private_key_env):
            raise ValueError(
                "no way to log in; needed is password_env, password_file, private_key_file or private_key_env"
            )
        for one, other in (("password_env", "password_file"), ("private_key_file", "private_key_env")):
            if getattr(self, one) and getattr(self, other):
                raise ValueError(f"{one} and {other} are both given; needed is one of them")
        if self.host_key and not self.host_key.startswith("SHA256:"):
            raise ValueError("host_key is not a fingerprint; needed is SHA256:… as `ssh-keygen -l` prints it")
        return self
