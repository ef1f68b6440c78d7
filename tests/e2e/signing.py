"""Signatures as cosign makes them: by cosign itself, or put together here with a key of openssl's."""

import base64
import subprocess

from images import CONFIG, OCI_CONFIG, OCI_MANIFEST, compact, descriptor

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIMPLE = "cosign container image signature"
OFFLINE = ["--yes", "--tlog-upload=false", "--use-signing-config=false", "--allow-insecure-registry"]
PASSWORD = {"COSIGN_PASSWORD": "made up"}


def openssl(*args, **options):
    return subprocess.run(["openssl", *args], check=True, capture_output=True, **options).stdout


class Key:
    """A key pair of openssl's; `public` is its file in PEM."""

    def __init__(self, folder, *options):
        folder.mkdir(exist_ok=True)
        self.private, self.public = folder / "private.pem", folder / "public.pem"
        options = options or ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        openssl("genpkey", *options, "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    def sign(self, message, hash="sha256"):
        return openssl("dgst", f"-{hash}", "-sign", self.private, input=message)


class CosignKey:
    """A key pair of cosign's own, or one of openssl's that it has imported."""

    def __init__(self, cosign, folder, imported=None):
        self._cosign = cosign
        prefix = folder / "cosign"
        made = ["import-key-pair", "--key", imported.private] if imported else ["generate-key-pair"]
        cosign(*made, "--output-key-prefix", prefix, env=PASSWORD)
        self.private, self.public = folder / "cosign.key", folder / "cosign.pub"

    def sign(self, image, *options):
        self._cosign("sign", "--key", self.private, *OFFLINE, *options, image, env=PASSWORD)


def key_sum(public):
    """The SHA-256 of the key's DER."""
    der = openssl("pkey", "-pubin", "-in", public, "-outform", "DER")
    return openssl("dgst", "-sha256", "-hex", input=der).split()[-1].decode()


def signature_tag(digest):
    return digest.replace(":", "-") + ".sig"


def put_signature(store, repository, key, digest, of=None):
    """The tag with a signature of `of`, where that of an image would be."""
    critical = {
        "identity": {"docker-reference": "somewhere/else"},
        "image": {"docker-manifest-digest": of or digest},
        "type": SIMPLE,
    }
    payload = compact({"critical": critical, "optional": None})
    signature = base64.b64encode(key.sign(payload)).decode()
    annotations = {"dev.cosignproject.cosign/signature": signature}
    layer = descriptor(SIMPLE_SIGNING, payload, annotations=annotations)
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, CONFIG)}
    store.blobs[layer["digest"]] = payload
    store.put(repository, signature_tag(digest), OCI_MANIFEST, compact({**manifest, "layers": [layer]}))
