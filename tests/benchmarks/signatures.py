"""What it costs to verify signatures, by key and format, and beside cosign, which has made them."""

import os
import shutil
import subprocess

import measure
from images import DOCKER_MANIFEST
from measure import attempt
from recorder import Recorder
from tables import TIME_COLUMNS, kilobytes, number, show, times
from tools import unpacked
from wire import read_requests

KEYS = {
    "ECDSA P-256": ("EC", "ec_paramgen_curve:P-256"),
    "ECDSA P-384": ("EC", "ec_paramgen_curve:P-384"),
    "RSA 2048": ("RSA", "rsa_keygen_bits:2048"),
    "RSA 4096": ("RSA", "rsa_keygen_bits:4096"),
}
FORMATS = {"simple": "false", "bundle": "true"}  # whether --new-bundle-format
OFFLINE = ["--tlog-upload=false", "--use-signing-config=false", "--yes"]


class Signatures:
    def __init__(self, program, registry, variables, document, folder):
        self.program = program
        self.registry = registry
        self.variables = {**variables, "COSIGN_PASSWORD": "", "PATH": os.environ["PATH"]}
        self.document = document
        self.folder = folder
        self.cosign = unpacked("cosign", "usr/bin/cosign", "forky")

    def show(self, count):
        if self.cosign is None or shutil.which("openssl") is None:
            print("Left out: signatures: Debian forky's cosign is not to be had from this mirror, or there is no openssl.")
            return
        for number_of_key, name in enumerate(KEYS):
            self.sign(self.prefix(number_of_key), *KEYS[name])
        self.by_key()
        self.beside(count)

    def prefix(self, number_of_key):
        return f"{self.folder}/signer-{number_of_key}"

    def image(self, prefix, form, host=None):
        return f"{host or self.registry.host}/{os.path.basename(prefix)}-{form}:1"

    def run(self, *command):
        done = subprocess.run(command, env=self.variables, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise measure.Failed(f"{measure.brief(command)}: {done.stderr}")

    def sign(self, prefix, algorithm, option):
        self.run("/usr/bin/openssl", "genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", f"{prefix}.pem")
        self.run(self.cosign, "import-key-pair", "--key", f"{prefix}.pem", "--output-key-prefix", prefix)
        for form, new in FORMATS.items():
            image = self.image(prefix, form)
            repository = image.partition("/")[2].partition(":")[0]
            self.registry.push_image(repository, "1", DOCKER_MANIFEST, self.document)
            how = [f"--new-bundle-format={new}", *OFFLINE]
            self.run(self.cosign, "sign", "--key", f"{prefix}.key", *how, image)

    def verify(self, prefix, form, host=None):
        return [[self.program, "verify", "--verify-key", f"{prefix}.pub", self.image(prefix, form, host)]]

    def requests(self, prefix, form):
        with Recorder(self.registry.port) as relay:
            measure.run(self.verify(prefix, form, relay.host), self.variables)
        return sum(len(read_requests(bytes(talk.sent))) for talk in relay.conversations)

    def by_key(self):
        rows = []
        for number_of_key, name in enumerate(KEYS):
            prefix = self.prefix(number_of_key)
            row = [name]
            for form in FORMATS:
                spent = attempt(measure.instructions, self.verify(prefix, form), self.variables)
                row += [number(spent and spent.total), number(attempt(self.requests, prefix, form))]
            rows.append(row)
        show(
            "regtag verify, by key",
            ["", "simple signing:\ninstructions", "requests", "bundle:\ninstructions", "requests"],
            rows,
            "One signature by cosign, in docker-registry, which has no referrers API. Instructions by callgrind, from main to "
            "its end, without the kernel's; `regtag digest` is a part of it, but what they differ by from key to key is the "
            "signature.",
        )

    def beside(self, count):
        prefix = self.prefix(0)
        tasks = {"regtag verify": self.verify(prefix, "bundle")}
        command = [self.cosign, "verify", "--key", f"{prefix}.pub", "--insecure-ignore-tlog=true"]
        tasks["cosign verify"] = [[*command, self.image(prefix, "bundle")]]
        costs = measure.rounds(tasks, count, self.variables, lambda: None)
        memory = [attempt(measure.memory, task, self.variables) for task in tasks.values()]
        rows = [[*row, kilobytes(one and max(one.total, one.highest))] for row, one in zip(times(tasks, costs), memory)]
        show(
            "regtag verify and cosign verify",
            [*TIME_COLUMNS, "resident,\nKB"],
            rows,
            f"Of one bundle, by ECDSA with P-256; {count} runs each. Resident: of 1000 bytes, at the end, or the kernel's "
            f"own count where that is more. cosign's file has {number(os.stat(self.cosign).st_size / 1000)} KB.",
        )
