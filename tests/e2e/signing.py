"""Signatures as cosign makes them: by cosign itself, or put together here with a key of openssl's."""

import base64
import subprocess

from images import CONFIG, OCI_CONFIG, OCI_MANIFEST, compact, descriptor, digest_of

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
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


def sign_simply(key, digest):
    """The manifest that would be at signature_tag, and its layer."""
    critical = {
        "identity": {"docker-reference": "somewhere/else"},
        "image": {"docker-manifest-digest": digest},
        "type": SIMPLE,
    }
    payload = compact({"critical": critical, "optional": None})
    signature = base64.b64encode(key.sign(payload)).decode()
    annotations = {"dev.cosignproject.cosign/signature": signature}
    layer = descriptor(SIMPLE_SIGNING, payload, annotations=annotations)
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, CONFIG)}
    return compact({**manifest, "layers": [layer]}), payload


def sign_in_bundle(key, digest, image=None):
    """A manifest that refers to the image, and its layer, the bundle."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.split(":")[1]}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    }
    payload = compact(statement)
    signature = key.sign(b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(payload), payload))
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": IN_TOTO,
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    bundle = compact({"mediaType": BUNDLE, "dsseEnvelope": envelope})
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": BUNDLE,
        "config": descriptor(OCI_CONFIG, CONFIG),
        "layers": [descriptor(BUNDLE, bundle)],
        "subject": {"mediaType": OCI_MANIFEST, "size": 1, "digest": image or digest},
    }
    return compact(manifest), bundle


def put_signature(store, repository, key, digest, of=None):
    """The tag with a signature of `of`, where that of an image would be."""
    manifest, payload = sign_simply(key, of or digest)
    store.blobs[digest_of(payload)] = payload
    store.put(repository, signature_tag(digest), OCI_MANIFEST, manifest)
