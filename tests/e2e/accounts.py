"""What a user has: a home with credential files, helpers, and nothing of whoever runs the tests."""

import base64
import json
import os
import stat


class Account:
    """Runs the program as somebody with this home: account("tag", …)."""

    def __init__(self, regtag, folder):
        self.home = folder / "home"
        self.bin = folder / "bin"
        self.work = folder / "work"
        for one in (self.home, self.bin, self.work):
            one.mkdir()
        self.env = {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        }
        self.path = regtag.path
        self._regtag = regtag

    def __call__(self, *args, env=None, secret=None, **options):
        """`secret` is what comes on standard input."""
        variables = {**self.env, **(env or {})}
        options.setdefault("cwd", self.work)
        if secret is None:
            return self._regtag(*args, env=variables, **options)
        inlet, outlet = os.pipe()
        try:
            os.write(outlet, secret if isinstance(secret, bytes) else secret.encode())
        finally:
            os.close(outlet)
        with os.fdopen(inlet, "rb") as stdin:
            return self._regtag(*args, env=variables, stdin=stdin, **options)

    def write(self, name, content, mode=0o600):
        """A file of the user's, which nobody else can read; its path."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, (bytes, str)) else json.dumps(content)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        path.chmod(mode)
        return path

    def docker_config(self, content, **options):
        return self.write(".docker/config.json", content, **options)

    def helper(self, name, script):
        """A credential helper: what a shell does, with the host in $host."""
        path = self.bin / f"docker-credential-{name}"
        path.write_text(f"#!/bin/sh\nread -r host\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path


def answering(user, password):
    """A helper's script that has these."""
    said = json.dumps({"Username": user, "Secret": password})
    return f"printf '%s\\n' '{said}'"


def entry(user, password):
    """An entry of `auths`."""
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def auths(host, user, password):
    """A file of credentials with one entry."""
    return {"auths": {host: entry(user, password)}}
