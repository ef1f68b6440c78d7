"""Keys and certificates of all kinds, made on the spot with the openssl command line."""

import base64
import datetime
import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "registry.test"  # whom certificates are for, unless a test says otherwise
LOOPBACK = "127.0.0.1"

# What a key is good for.
CERTIFICATES = "critical,keyCertSign,cRLSign"
SIGNATURES = "critical,digitalSignature"

CONFIGURATION = """
[ca]
default_ca = workshop
[workshop]
database = {folder}/index
new_certs_dir = {folder}
unique_subject = no
rand_serial = yes
policy = names
[names]
organizationName = optional
commonName = supplied
[req]
distinguished_name = asked
[asked]
[extensions]
{extensions}
"""


@dataclass
class Certificate:
    file: Path  # it alone, PEM
    key: Path
    issuer: "Certificate"  # None: signed by itself
    start: datetime.datetime
    end: datetime.datetime

    @property
    def pem(self):
        return self.file.read_text()

    @property
    def der(self):
        lines = self.pem.splitlines()
        return base64.b64decode("".join(lines[1:-1]))

    @property
    def chain(self):
        """It and those between it and the root, as a server shows them: PEM."""
        return self.pem + (self.issuer.chain if self.issuer and self.issuer.issuer else "")

    @property
    def pin(self):
        """As curl writes it."""
        key = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        return "sha256//" + base64.b64encode(hashlib.sha256(key).digest()).decode()


class Workshop:
    """Makes certificates, in a folder of its own. The keys that take long to make, of these owners,
    are begun at once."""

    SLOW = [("rsa:4096", "authority"), ("rsa:4096", "server")]

    def __init__(self, folder):
        self._folder = folder
        self._count = 0
        self._keys = {}
        self._slow = {}
        (folder / "index").touch()

    def __enter__(self):
        for kind, owner in self.SLOW:
            self._keys[kind, owner] = self._file("key")
            command = _key_command(kind, self._keys[kind, owner])
            self._slow[self._keys[kind, owner]] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        return self

    def __exit__(self, *_):
        for process in self._slow.values():
            process.kill()
            process.wait()

    def key(self, kind, owner=""):
        """A key of this kind: "P-256", "rsa:2048" and such; the same one for the same owner."""
        file = self._keys.get((kind, owner))
        if file in self._slow and self._slow.pop(file).wait() != 0:
            raise RuntimeError(f"openssl makes no key of {kind}")
        if not file:
            file = self._file("key")
            openssl(*_key_command(kind, file)[1:])
            if owner:
                self._keys[kind, owner] = file
        return file

    def root(self, subject="The root", **options):
        return self.certificate(subject, **{**_AUTHORITY, **options})

    def intermediate(self, issuer, subject="The intermediate", **options):
        return self.certificate(subject, issuer, **{**_AUTHORITY, **options})

    def server(self, issuer, names=(f"DNS:{NAME}", f"IP:{LOOPBACK}"), **options):
        return self.certificate("The server", issuer, names=names, **options)

    def client(self, issuer, **options):
        return self.certificate("The client", issuer, **{**_CLIENT, **options})

    def certificate(
        self,
        subject,
        issuer=None,
        names=(),
        key="P-256",
        authority=False,
        depth=None,
        uses=SIGNATURES,
        purposes="serverAuth",
        days=(-1, 30),
        extensions=(),
        digest="sha256",
    ):
        """`names` are alternative ones, as openssl writes them; `key` is a kind or a file; `days`
        are its dates, counted from now; `depth` is how many authorities may stand between this one
        and a server; no `issuer`: it is signed by itself."""
        made_before = isinstance(key, Path)
        kind, key = ("", key) if made_before else (key, self._file("key"))
        start, end = (moment(day) for day in days)
        made = Certificate(self._file("crt"), key, issuer, start, end)
        lines = [f"basicConstraints = critical,CA:{str(authority).upper()}"]
        lines[0] += "" if depth is None else f",pathlen:{depth}"
        lines += ["keyUsage = " + uses] if uses else []
        lines += ["extendedKeyUsage = " + purposes] if purposes else []
        lines += ["subjectAltName = " + ",".join(names)] if names else []
        lines += ["subjectKeyIdentifier = hash", *extensions]

        settings = self._file("cnf")
        settings.write_text(CONFIGURATION.format(folder=self._folder, extensions="\n".join(lines)))
        request = self._file("csr")
        openssl(
            *["req", "-new", "-config", settings, "-subj", f"/CN={subject}", "-out", request],
            *(["-key", key] if made_before else [*_new_key(kind), "-nodes", "-keyout", key]),
        )
        signer = ["-cert", issuer.file, "-keyfile", issuer.key] if issuer else ["-selfsign"]
        openssl(
            *["ca", "-batch", "-notext", "-config", settings, "-md", digest],
            *["-startdate", f"{start:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}"],
            *["-extensions", "extensions", "-in", request, "-out", made.file],
            *(signer if issuer else [*signer, "-keyfile", key]),
        )
        return made

    def strangers(self, count):
        """So many other authorities, with the keys that those of a system have: all in PEM. After
        a while they are the same again."""
        keys = [self.key(kind, "authority") for kind in ("rsa:4096", "rsa:2048", "P-384", "P-256")]
        made = [
            openssl(
                *["req", "-x509", "-new", "-key", keys[number % len(keys)], "-days", 30],
                *["-subj", f"/C=AQ/O=Strangers/CN=Stranger number {number:03}"],
            ).decode()
            for number in range(20)
        ]
        return [made[number % len(made)] for number in range(count)]

    def _file(self, ending):
        self._count += 1
        return self._folder / f"{self._count}.{ending}"


_AUTHORITY = {"authority": True, "uses": CERTIFICATES, "purposes": "", "days": (-10, 400)}
_CLIENT = {"purposes": "clientAuth"}


def _new_key(kind):
    """For `openssl req`."""
    if kind == "ed25519" or kind.startswith("rsa:"):
        return ["-newkey", kind]
    return ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{kind}"]


def _key_command(kind, file):
    algorithm, _, bits = kind.partition(":")
    option = f"rsa_keygen_bits:{bits}" if algorithm == "rsa" else f"ec_paramgen_curve:{kind}"
    name = "RSA" if algorithm == "rsa" else "EC"
    return ["openssl", "genpkey", "-algorithm", name, "-pkeyopt", option, "-out", str(file)]


def moment(days):
    """So many days from now."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return now + datetime.timedelta(days=days)


def bundle(file, *parts):
    """Writes certificates, or texts, to one file; returns it."""
    texts = [part if isinstance(part, str) else part.pem for part in parts]
    file.write_text("".join(texts))
    return file


def openssl(*args):
    """Runs it; what it says on stdout."""
    done = subprocess.run(
        ["openssl", *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        words = done.stderr.decode(errors="replace")
        raise RuntimeError(f"openssl {' '.join(map(str, args))}: {words}")
    return done.stdout
