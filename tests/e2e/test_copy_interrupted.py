"""`copy`, cut off or killed at any point: the tag is the old one or the new one, and the next run completes it."""

import signal
import socket
import subprocess
import threading

import pytest
from artifacts import artifact, file_layer
from images import CONFIG, OCI_MANIFEST, compact, digest_of, oci_manifest
from program import LONG, environment
from recorder import Recorder
from wire import hang_up

POINTS, SOME = 200, 4
OLD = compact(oci_manifest(annotations={"which": "the old one"}))
LAYERS = [bytes([number]) * 60_000 for number in (1, 2)]
NEW = artifact(*map(file_layer, LAYERS))
SIDES = [("source", False), ("source", True), ("target", False), ("target", True)]


class Cutter(Recorder):
    """Once `limit` bytes have gone one way, nothing more goes any way, and `on_limit` is called: to hang up, or what a
    test wants.
    """

    def __init__(self, port):
        super().__init__(port)
        self._lock = threading.Lock()
        self.arm(None)

    def arm(self, limit, by_client=True, on_limit=None):
        self.passed = {True: 0, False: 0}
        self.limit, self.by_client = limit, by_client
        self.on_limit = on_limit or self.hang_up

    def hang_up(self):
        for one in list(self._open):
            hang_up(one)

    def _accepted(self, client):
        if self._is_cut():
            hang_up(client)
        else:
            super()._accepted(client)

    def _is_cut(self):
        return self.limit is not None and self.passed[self.by_client] >= self.limit

    def _take(self, data, by_client):
        """What of it may go on, and whether that reaches the limit."""
        with self._lock:
            if self._is_cut():
                return b"", False
            if self.limit is not None and by_client == self.by_client:
                data = data[: self.limit - self.passed[by_client]]
            self.passed[by_client] += len(data)
            return data, self._is_cut()

    def _pump(self, source, sink, record, by_client):
        try:
            while data := source.recv(65536):
                data, ends = self._take(data, by_client)
                sink.sendall(data)
                if ends or not data:  # the connection may have come while the others were hung up
                    self.on_limit()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            hang_up(sink)


@pytest.fixture(scope="module")
def elsewhere(start_registry):
    return start_registry(delete=True)


class Copy:
    """Of the new image to where the old one is, over two relays. Each point has a repository of its own."""

    def __init__(self, regtag, registry, elsewhere, repository, relays):
        self.regtag, self.elsewhere, self.repository = regtag, elsewhere, repository
        self.relays = relays
        self._registry = registry
        for blob in (CONFIG, *LAYERS):
            registry.push_blob(repository, blob)
        registry.push(repository, "new", OCI_MANIFEST, NEW)
        self.place = None

    def begin(self, point):
        self.place = f"{self.repository}/{point}"
        self.elsewhere.push_image(self.place, "tag", OCI_MANIFEST, OLD)
        for relay in self.relays.values():
            relay.arm(None)

    @property
    def args(self):
        source, target = self.relays["source"], self.relays["target"]
        return ["copy", f"{source.host}/{self.repository}:new", f"{target.host}/{self.place}:tag"]

    def total(self, side, by_client):
        """How many bytes go there if nothing happens."""
        self.begin("total")
        assert self.regtag(*self.args).status == 0
        return self.relays[side].passed[by_client]

    def is_new(self):
        found = self.elsewhere.digest(self.place, "tag")
        assert found in (digest_of(OLD), digest_of(NEW)), self.place
        return found == digest_of(NEW)

    def complete(self):
        for relay in self.relays.values():
            relay.arm(None)
        result = self.regtag(*self.args)
        assert (result.status, self.is_new()) == (0, True), result
        for blob in (CONFIG, *LAYERS):
            _, _, found = self.elsewhere.request("GET", f"/v2/{self.place}/blobs/{digest_of(blob)}")
            assert found == blob


@pytest.fixture
def copy(regtag, registry, elsewhere, repository):
    with Cutter(registry.port) as source, Cutter(elsewhere.port) as target:
        yield Copy(regtag, registry, elsewhere, repository, {"source": source, "target": target})


def cut_at(copy, side, by_client, points):
    total = copy.total(side, by_client)
    for number in range(points):
        copy.begin(number)
        copy.relays[side].arm(total * number // points + 1, by_client)

        result = copy.regtag(*copy.args)

        assert copy.is_new() or result.status > 0, (number, result)
        assert (result.status == 0) == (result.rows[0][2] == "moved"), (number, result)
        copy.complete()


def kill_at(copy, side, by_client, points):
    total = copy.total(side, by_client)
    for number in range(points):
        copy.begin(number)
        reached = threading.Event()
        copy.relays[side].arm(total * number // points + 1, by_client, reached.set)
        command = copy.regtag.command(*copy.args)

        with subprocess.Popen(
            command, env=environment({}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            assert reached.wait(60), number
            process.kill()

        assert process.returncode in (-signal.SIGKILL, 0), number
        copy.relays[side].hang_up()
        copy.is_new()
        copy.complete()


@pytest.mark.parametrize("side, by_client", SIDES)
def test_cut_off_at_some_point_the_tag_is_old_or_new(copy, side, by_client):
    cut_at(copy, side, by_client, SOME)


@pytest.mark.slow
@LONG
@pytest.mark.parametrize("side, by_client", SIDES)
def test_cut_off_at_any_point_the_tag_is_old_or_new(copy, side, by_client):
    cut_at(copy, side, by_client, POINTS)


@pytest.mark.parametrize("side, by_client", [("source", False), ("target", True)])
def test_killed_at_some_point_it_leaves_old_or_new(copy, side, by_client):
    kill_at(copy, side, by_client, 5)


@pytest.mark.slow
@LONG
@pytest.mark.parametrize("side, by_client", [("source", False), ("target", True)])
def test_killed_at_any_point_it_leaves_old_or_new(copy, side, by_client):
    kill_at(copy, side, by_client, POINTS)
