"""Private keys in each supported format, and keys that are refused."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from cdp_sync.connectors.sftp.credentials import load_private_key
from cdp_sync.errors import KeyUnreadable, SecretMissing
from cdp_sync_tests.connectors.conftest import Connect
from cdp_sync_tests.openssh import OpenSshServer

PASSPHRASE = "wörd & phrase"  # of keys that live for one test
Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

KEYS: dict[str, Key] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
}
FORMATS = {
    "openssh": PrivateFormat.OpenSSH,
    "pkcs8": PrivateFormat.PKCS8,
    "pem": PrivateFormat.TraditionalOpenSSL,
}
CASES = [(kind, form) for kind in KEYS for form in FORMATS if (kind, form) != ("ed25519", "pem")]


def text_of(key: Key, form: str, passphrase: str | None) -> str:
    """Return the text of a key file."""
    encryption: KeySerializationEncryption = (
        BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    )
    return key.private_bytes(Encoding.PEM, FORMATS[form], encryption).decode()


def public_of(key: Key) -> str:
    """Return the public key in the format of authorized_keys."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "encrypted"])
@pytest.mark.parametrize(("kind", "form"), CASES)
def test_a_key_is_read_in_every_format(kind: str, form: str, passphrase: str | None) -> None:
    """A key is read from OpenSSH, PKCS#8 and traditional PEM, with and without a passphrase."""
    loaded = load_private_key(text_of(KEYS[kind], form, passphrase), passphrase, "id")
    assert f"{loaded.get_name()} {loaded.get_base64()}" == public_of(KEYS[kind])


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_a_missing_and_a_wrong_passphrase_differ(kind: str, form: str) -> None:
    """A missing passphrase and a wrong one have different messages, which do not show it."""
    text = text_of(KEYS[kind], form, PASSPHRASE)
    with pytest.raises(KeyUnreadable, match="needs a passphrase"):
        load_private_key(text, None, "id")
    with pytest.raises(KeyUnreadable, match="passphrase of the private key id is wrong") as raised:
        load_private_key(text, "guess", "id")
    assert "guess" not in str(raised.value)


def test_an_unneeded_passphrase_is_ignored() -> None:
    """A plain key is read even if a passphrase is declared."""
    assert load_private_key(text_of(KEYS["ed25519"], "pkcs8", None), PASSPHRASE, "id").can_sign()


@pytest.mark.parametrize("ending", ["", "\n\n", "\r\n"])
def test_newlines_of_a_key_are_ignored(ending: str) -> None:
    """A key may lack its last newline or have Windows newlines."""
    text = text_of(KEYS["p256"], "openssh", None).strip()
    text = text.replace("\n", "\r\n") if ending == "\r\n" else text
    assert load_private_key(text + ending, None, "id").can_sign()


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "encrypted"])
def test_a_key_of_ssh_keygen_is_read(tmp_path: Path, passphrase: str | None) -> None:
    """A key that `ssh-keygen` writes is read."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase or "", "-f", tmp_path / "id"], check=True)
    loaded = load_private_key((tmp_path / "id").read_text(), passphrase, "id")
    assert loaded.get_base64() in (tmp_path / "id.pub").read_text()


@pytest.mark.skipif(shutil.which("puttygen") is None, reason="puttygen is not installed")
def test_a_putty_key_names_the_command_that_converts_it(tmp_path: Path) -> None:
    """A .ppk file is refused with the puttygen command, whose result is read."""
    (tmp_path / "id").write_text(text_of(KEYS["p256"], "openssh", None))
    (tmp_path / "id").chmod(0o600)
    subprocess.run(["puttygen", tmp_path / "id", "-O", "private", "-o", tmp_path / "key.ppk"], check=True)
    with pytest.raises(KeyUnreadable, match=r"puttygen key\.ppk -O private-openssh-new -o key"):
        load_private_key((tmp_path / "key.ppk").read_text(), None, "id")
    command = ["puttygen", "key.ppk", "-O", "private-openssh-new", "-o", "key"]
    subprocess.run(command, check=True, cwd=tmp_path)
    assert load_private_key((tmp_path / "key").read_text(), None, "id").can_sign()


def refused_texts() -> dict[str, tuple[str, str]]:
    """Return texts that are no usable key, each with words of the message."""
    short = rsa.generate_private_key(65537, 1024)  # that is the point
    old = dsa.generate_private_key(1024)  # likewise
    other = ed448.Ed448PrivateKey.generate()
    pkcs8 = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "rsa_1024": (text_of(short, "openssh", None), "rsa key of 1024 bits"),
        "dsa": (old.private_bytes(*pkcs8).decode(), "DSA"),
        "ed448": (other.private_bytes(*pkcs8).decode(), "Ed448"),
        "public": (public_of(KEYS["ed25519"]), "is a public key"),
        "noise": ("hello", "holds no private key"),
        "empty": ("", "holds no private key"),
        "cut": (text_of(KEYS["rsa"], "openssh", None)[:500], "holds no private key"),
    }


@pytest.mark.parametrize("name", ["rsa_1024", "dsa", "ed448", "public", "noise", "empty", "cut"])
def test_unusable_keys_are_refused(name: str) -> None:
    """Short RSA keys, insecure kinds, public keys and noise are KeyUnreadable, each with its reason."""
    text, words = refused_texts()[name]
    with pytest.raises(KeyUnreadable, match=words):
        load_private_key(text, None, "id")


@pytest.mark.parametrize("kind", list(KEYS))
def test_every_kind_of_key_logs_in(openssh: OpenSshServer, connect: Connect, kind: str) -> None:
    """OpenSSH accepts a key of each kind from an environment variable."""
    openssh.let_in(public_of(KEYS[kind]))
    environ = {"KEY": text_of(KEYS[kind], "pkcs8", PASSPHRASE), "PHRASE": PASSPHRASE}
    fields = {"private_key_file": None, "private_key_env": "KEY", "private_key_passphrase_env": "PHRASE"}
    assert connect(openssh, environ=environ, **fields).exists("/")


def test_a_missing_key_file_is_named(openssh: OpenSshServer, connect: Connect, tmp_path: Path) -> None:
    """A missing key file is SecretMissing with its name, before any connection."""
    with pytest.raises(SecretMissing, match="nowhere/id"):
        connect(openssh, private_key_file=str(tmp_path / "nowhere/id")).exists("/")
