"""Memory does not grow with the number of authorities that are trusted."""

import os

import pytest
from authority import NAME, bundle
from fronts import needs_tls
from images import digest_of
from memory import LEAVE_OUT_OF_TRACE, measure
from program import environment

pytest_plugins = ["tls_fixtures"]
pytestmark = [
    needs_tls,
    pytest.mark.skipif(bool(os.environ.get("SAN")), reason="a sanitizer has memory of its own"),
]

PAGES = 8  # KiB: the stack may begin anywhere in a page
COARSE = 1024  # KiB by which the kernel's count of the highest may differ, pages of files included
BIG = 3 * 1024 * 1024  # bytes of a bundle that would show there
CONNECTION = 64  # KiB that TLS has for one connection
DIRECTORY = 64  # KiB: the C library reads directories through a buffer of 32


@pytest.fixture
def peak(regtag, tmp_path, document):
    def peak(site, *options, **variables):
        command = [regtag.path, "digest", *map(str, options), *site.options, site.image]
        with open(tmp_path / "out", "wb") as out:
            found = measure(command, out, environment({**LEAVE_OUT_OF_TRACE, **variables}))
        assert found.status == 0
        assert (tmp_path / "out").read_text().split() == [digest_of(document)]
        return found

    return peak


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_many_authorities_need_no_more_memory_than_one(peak, serve_tls, root, crowd, version):
    site = serve_tls(version=version)

    one, many = peak(site, "--cacert", root.file), peak(site, "--cacert", crowd)

    assert crowd.stat().st_size > 100_000
    assert abs(many.own - one.own) <= PAGES, (one, many)


def test_nor_do_they_need_more_for_a_while(peak, site, root, strangers, tmp_path):
    text = "".join(strangers)
    huge = tmp_path / "huge.crt"
    huge.write_text(text * (BIG // len(text) + 1) + root.pem)

    one, many = peak(site, "--cacert", root.file), peak(site, "--cacert", huge)

    assert abs(many.own - one.own) <= PAGES, (one, many)
    assert many.highest - one.highest <= COARSE, (one, many)


def test_nor_does_the_place_among_them_matter(peak, site, root, strangers, crowd, tmp_path):
    front = tmp_path / "front.crt"
    front.write_text(root.pem + "".join(strangers))
    files = [root.file, front, crowd]

    peaks = [peak(site, SSL_CERT_FILE=str(file)).own for file in files]

    assert max(peaks) - min(peaks) <= PAGES, peaks


def test_a_directory_needs_little_more(peak, site, root, strangers, tmp_path):
    folder = tmp_path / "authorities"
    folder.mkdir()
    for number, one in enumerate(strangers):
        (folder / f"{number}.pem").write_text(one)
    (folder / "it.pem").write_text(root.pem)

    one, many = peak(site, "--cacert", root.file), peak(site, "--cacert", folder)

    assert many.own - one.own <= DIRECTORY, (one, many)


def test_a_chain_with_long_keys_needs_no_more_than_short_ones(peak, serve_tls, workshop, root):
    """All of it comes from memory of one size, that was set aside when the program was built."""
    short = serve_tls()
    top = workshop.root(key=workshop.key("rsa:4096", "authority"))
    between = workshop.intermediate(top, key=workshop.key("rsa:4096", "authority"))
    server = workshop.server(between, key=workshop.key("rsa:4096", "server"))
    long = serve_tls(server)

    small, large = peak(short, "--cacert", root.file), peak(long, "--cacert", top.file)

    assert large.own - small.own <= CONNECTION, (small, large)


def test_copies_of_an_authority_need_no_more_memory_than_one(
    peak, serve_tls, workshop, tmp_path
):
    """All that have the name of the issuer are looked at, whatever their keys."""
    key = workshop.key("rsa:4096", "authority")
    top, namesake = workshop.root(key=key), workshop.root(key=workshop.key("rsa:4096", "server"))
    site = serve_tls(workshop.server(top))
    crowd = bundle(tmp_path / "crowd.crt", *[namesake] * 60, *[workshop.root()] * 60, *[top] * 60)

    one, many = peak(site, "--cacert", top.file), peak(site, "--cacert", crowd)

    assert abs(many.own - one.own) <= PAGES, (one, many)


def test_memory_that_is_not_enough_is_told(regtag, serve_tls, workshop, root):
    """Each name of a certificate takes some, however short it is."""
    site = serve_tls(workshop.server(root, [f"DNS:{NAME}", *["DNS:a"] * 4000]))

    result = regtag("digest", "--cacert", root.file, *site.options, site.image)

    assert result.status == 1, result
    result.complaint(site.host, "memory")
    assert site.is_untouched
