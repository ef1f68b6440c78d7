"""`watch` over TLS."""

import shutil

from fronts import needs_tls
from watcher import OLD, RARELY

pytest_plugins = ["tls_fixtures", "watch_fixtures"]
pytestmark = needs_tls


def test_one_handshake_serves_for_many_asks(site, root, watch):
    watcher = watch(site.image, "-v", "--cacert", root.file, *site.options)
    watcher.err.next("* checking again in")
    for _ in range(10):
        watcher.ask_now()
        watcher.err.next("* checking again in")

    watcher.end()

    assert len(site.server.requests) == 11
    assert site.server.connections == 1


def test_a_ca_may_come_later(site, root, other_root, tmp_path, watch):
    """As when the old one runs out, and nobody has been there to start anything again."""
    trusted = tmp_path / "ca.pem"
    shutil.copy(other_root.file, trusted)
    options = [*RARELY, "--retries", "0", "-v", "--cacert", trusted, *site.options]
    watcher = watch(site.image, *options)
    watcher.err.next("regtag: ", "CA")
    watcher.err.next("* checking again in")
    assert site.is_untouched
    shutil.copy(root.file, trusted)

    watcher.ask_now()

    watcher.err.next("answers again, after 1 failure")
    watcher.err.next(f"now at {OLD}")
