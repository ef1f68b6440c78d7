"""A real docker-registry that wants a password (htpasswd, bcrypt) or a token."""

import ctypes
import ctypes.util
import secrets

from registry import Registry
from token_server import ISSUER, SERVICE, basic

BCRYPT_ROUNDS = "04"  # the fewest there are: this is no secret worth guarding
BCRYPT_LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def bcrypt(password):
    """As `htpasswd -B` does it, by the library that every Debian has its own passwords from."""
    library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    library.crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    salt = "".join(secrets.choice(BCRYPT_LETTERS) for _ in range(21)) + "."
    hashed = library.crypt(password.encode(), f"$2y${BCRYPT_ROUNDS}${salt}".encode())
    if not hashed or len(hashed) != 60:
        raise RuntimeError("libcrypt does no bcrypt")
    return hashed.decode()


class PasswordRegistry(Registry):
    def __init__(self, binary, folder, user, password, **options):
        super().__init__(binary, folder, **options)
        passwords = folder / "htpasswd"
        passwords.write_text(f"{user}:{bcrypt(password)}\n")
        self.authorization = basic(user, password)
        self._config += f"auth: {{htpasswd: {{realm: the tests, path: '{passwords}'}}}}\n"

    def request(self, method, path, body=None, headers=None):
        headers = {"Authorization": self.authorization, **(headers or {})}
        return super().request(method, path, body, headers)


class TokenRegistry(Registry):
    """Its tokens come from the server at `realm`, signed by `signer`."""

    def __init__(self, binary, folder, realm, signer, **options):
        super().__init__(binary, folder, **options)
        self._signer = signer
        self._config += "\n".join(
            [
                "auth:",
                "  token:",
                f"    realm: '{realm}'",
                f"    service: '{SERVICE}'",
                f"    issuer: '{ISSUER}'",
                f"    rootcertbundle: '{signer.certificate}'",
                "",
            ]
        )

    def request(self, method, path, body=None, headers=None):
        repository = path.removeprefix("/v2/").partition("/blobs/")[0].partition("/manifests/")[0]
        rights = {"type": "repository", "name": repository, "actions": ["pull", "push"]}
        headers = {"Authorization": f"Bearer {self._signer([rights])}", **(headers or {})}
        return super().request(method, path, body, headers)
