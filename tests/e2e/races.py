"""Many who move one tag at the same moment, and what each of them saw and did, by the wire."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager
from typing import NamedTuple

from images import DOCKER_MANIFEST, compact, digest_of, docker_manifest
from wire import read_requests

ANSWER = re.compile(rb"HTTP/1\.1 (\d{3})[^\r]*\r\n((?:[^\r]+\r\n)*)\r\n")
DIGEST = re.compile(rb"(?i)^docker-content-digest: (\S+)\r$", re.MULTILINE)


def contestant(number):
    """An image of its own for each of them; the blobs are the same."""
    return compact({**docker_manifest(), "annotations": {"org.example.contestant": str(number)}})


def push_contestants(registry, repository, count):
    """Their digests; the tag "stable" is at an image that none of them has."""
    registry.push_image(repository, "stable", DOCKER_MANIFEST, compact(docker_manifest()))
    documents = [contestant(number) for number in range(count)]
    return [registry.push(repository, digest_of(one), DOCKER_MANIFEST, one) for one in documents]


@contextmanager
def held_up(registry):
    """The registry stands still meanwhile: what is asked of it piles up, and is then answered at once."""
    os.kill(registry.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(registry.pid, signal.SIGCONT)


def called(number, port):
    """The host under which a contestant knows the registry, so that it can be told from the others."""
    return f"contestant-{number}.test:{port}"


def reached(host):
    return ["--plain-http", "--resolve", f"{host}:127.0.0.1"]


def start(command, **options):
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def end(processes, seconds):
    """Waits for all of them; what is not through by then is ended. (status, stdout, stderr) of each."""
    try:
        outputs = [process.communicate(timeout=seconds) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait(10)
    return [(one.returncode, *output) for one, output in zip(processes, outputs)]


class Deed(NamedTuple):
    """A request of a contestant's, and what it was told."""

    method: str
    sent: str  # the digest of what was uploaded
    status: int
    digest: str  # that the answer states


def deeds(conversations):
    """What each contestant did, as the relay saw it, by the host that it spoke to."""
    found = {}
    for talk in conversations:
        requests = read_requests(bytes(talk.sent))
        if not requests:
            continue
        answers = read_answers(bytes(talk.received), requests)
        mine = found.setdefault(requests[0].value("Host"), [])
        for request, (status, digest) in zip(requests, answers):
            sent = digest_of(request.body) if request.body else None
            mine.append(Deed(request.method, sent, status, digest))
    return found


def read_answers(raw, requests):
    """The status and the digest in each answer; bodies are as long as they say."""
    for request in requests:
        match = ANSWER.match(raw)
        if not match:
            return
        fields = match[2]
        length = re.search(rb"(?i)^content-length: (\d+)\r$", fields, re.MULTILINE)
        body = int(length[1]) if length and request.method != "HEAD" else 0
        digest = DIGEST.search(fields)
        yield int(match[1]), digest[1].decode() if digest else None
        raw = raw[match.end() + body :]
