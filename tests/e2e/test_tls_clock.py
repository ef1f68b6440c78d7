"""Clocks that are wrong: a device without a battery boots in 1970."""

import datetime
import os
import sys
from pathlib import Path

import pytest
from authority import moment
from fronts import needs_tls
from images import digest_of
from memory import LEAVE_OUT_OF_TRACE

pytest_plugins = ["tls_fixtures"]
pytestmark = needs_tls

CLOCK = Path(__file__).resolve().parent / "clock.py"
BAD_DATES = 8
EVER = (-365 * 25, 365 * 20)  # whenever this program was built, it was then


def run(regtag, site, root, *options, **more):
    options = ["--cacert", root.file, *options, *site.options]
    return regtag("digest", *options, site.image, **more)


def trusted(result, document):
    assert (result.status, result.err) == (0, b""), result
    return result.lines == [digest_of(document)]


def bad_dates(result, site, *words):
    assert (result.status, result.out) == (BAD_DATES, b""), result
    assert site.is_untouched
    return result.complaint(site.host, *words)


# ---- The floor that a user sets ------------------------------------------------------------------


@pytest.fixture
def early(serve_tls, workshop, root):
    """A server with a certificate from the future: 20 days to 40 from now."""
    certificate = workshop.server(root, days=(20, 40))
    return serve_tls(certificate)


FORMS = {"date": "%Y-%m-%d", "date_and_time": "%Y-%m-%dT%H:%M:%SZ"}
OFFSETS = ["+00:00", "-03:30", ".25Z"]


@pytest.mark.parametrize("form", FORMS)
def test_a_floor_makes_it_later(regtag, early, document, root, form):
    too_early, late_enough = (moment(day).strftime(FORMS[form]) for day in (10, 30))

    bad_dates(run(regtag, early, root, "--time-floor", too_early), early)
    assert trusted(run(regtag, early, root, f"--time-floor={late_enough}"), document)


@pytest.mark.parametrize("offset", OFFSETS)
def test_other_ways_to_write_a_time_are_understood_or_refused(
    regtag, early, document, root, offset
):
    floor = f"{moment(30):%Y-%m-%dT%H:%M:%S}{offset}"

    result = run(regtag, early, root, "--time-floor", floor)

    if result.status:
        assert result.status == 2, result
        result.complaint("--time-floor")
    else:
        assert trusted(result, document)


def test_a_file_makes_it_later(regtag, early, document, root, tmp_path):
    stamp = tmp_path / "stamp"
    stamp.touch()

    bad_dates(run(regtag, early, root, "--time-floor", stamp), early)
    os.utime(stamp, (moment(30).timestamp(),) * 2)
    assert trusted(run(regtag, early, root, "--time-floor", stamp), document)


def test_a_directory_is_as_good_as_a_file(regtag, early, document, root, tmp_path):
    os.utime(tmp_path, (moment(30).timestamp(),) * 2)

    assert trusted(run(regtag, early, root, "--time-floor", tmp_path), document)


def test_a_floor_in_the_past_changes_nothing(regtag, site, serve_tls, workshop, document, root):
    floor = ["--time-floor", "2001-01-01"]
    expired = serve_tls(workshop.server(root, days=(-9000, -3)))

    assert trusted(run(regtag, site, root, *floor), document)
    bad_dates(run(regtag, expired, root, *floor), expired)


def test_a_floor_may_make_it_too_late(regtag, site, certificate, root):
    floor = f"{moment(50):%Y-%m-%d}"

    complaint = bad_dates(run(regtag, site, root, "--time-floor", floor), site)

    assert f"{certificate.end:%Y-%m-%d}" in complaint
    assert floor in complaint


def test_verbose_tells_of_a_floor_that_is_used(regtag, site, early, root):
    floor = f"{moment(30):%Y-%m-%d}"

    used = run(regtag, early, root, "-v", "--time-floor", floor)
    unused = run(regtag, site, root, "-v", "--time-floor", "2001-01-01")

    assert (used.status, unused.status) == (0, 0)
    assert floor in used.err.decode()
    assert "2001-01-01" not in unused.err.decode()


BAD_FLOORS = [
    "",
    "yesterday",
    "2026",
    "2026-13-01",
    "2026-00-10",
    "2026-01-32",
    "2026-02-30",
    "2026-1-1",
    "2026-01-31T",
    "2026-01-31T25:00:00Z",
    "2026-01-31T12:00:00",
    "2026-01-31 12:00:00 or so",
    "99999-01-01",
    "-1",
]


@pytest.mark.parametrize("floor", BAD_FLOORS)
def test_a_floor_that_is_none_is_refused(regtag, site, root, tmp_path, floor):
    result = run(regtag, site, root, "--time-floor", floor, cwd=tmp_path)

    assert result.status in (1, 2, 16), result
    result.complaint("--time-floor")
    assert site.front.sessions == []


def test_a_file_with_a_name_like_a_date_is_no_reason_to_fail(
    regtag, early, document, root, tmp_path
):
    floor = f"{moment(30):%Y-%m-%d}"
    (tmp_path / floor).touch()

    assert trusted(run(regtag, early, root, "--time-floor", floor, cwd=tmp_path), document)


# ---- A clock that is wrong -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_clock(regtag):
    """Runs the program by a clock that says something else, whatever kind of program it is."""

    def with_clock(time, *args, **options):
        given = datetime.datetime.strptime(time, "%Y-%m-%d %H:%M:%S")
        seconds = int(given.replace(tzinfo=datetime.timezone.utc).timestamp())
        command = [sys.executable, CLOCK, seconds, regtag.path, *args]
        result = regtag.run(command, env=LEAVE_OUT_OF_TRACE, **options)
        assert result.status >= 0, f"ended by signal {-result.status}: {result}"
        return result

    if with_clock("1970-01-01 00:10:00", "--version").status != 0:
        pytest.skip("programs cannot be traced here")
    return with_clock


def at(with_clock, time, site, root, *options):
    options = ["--cacert", root.file, *options, *site.options]
    return with_clock(time, "digest", *options, site.image)


IN_1970 = "1970-01-01 00:10:00"


@pytest.fixture
def lasting(serve_tls, workshop):
    """A server and an authority whose certificates were and will be good for long."""
    root = workshop.root("A lasting root", days=EVER)
    return serve_tls(workshop.server(root, days=EVER)), root


def test_a_clock_that_is_wrong_reaches_the_program(with_clock, serve_tls, workshop):
    late = f"{moment(3000):%Y-%m-%d 12:00:00}"
    root = workshop.root("A lasting root", days=EVER)
    certificate = workshop.server(root)
    site = serve_tls(certificate)

    result = at(with_clock, late, site, root)

    complaint = bad_dates(result, site)
    assert late[:10] in complaint
    assert f"{certificate.end:%Y-%m-%d}" in complaint


@pytest.mark.parametrize("time", [IN_1970, "1999-12-31 23:59:50", "2000-01-01 00:00:00"])
def test_a_clock_before_the_program_was_built_is_not_believed(with_clock, lasting, document, time):
    site, root = lasting

    assert trusted(at(with_clock, time, site, root), document)


def test_verbose_says_that_the_clock_is_not_believed(with_clock, lasting):
    site, root = lasting

    told = at(with_clock, IN_1970, site, root, "-v")
    right = at(with_clock, f"{moment(0):%Y-%m-%d %H:%M:%S}", site, root, "-v")

    assert (told.status, right.status) == (0, 0)
    assert "clock" in told.err.decode()
    assert "clock" not in right.err.decode()


def test_a_certificate_from_after_the_program_was_built(
    with_clock, serve_tls, workshop, document, root
):
    """Only a floor helps here: many devices have a file that was written last."""
    site = serve_tls(workshop.server(root, days=(10, 40)))

    bad_dates(at(with_clock, IN_1970, site, root), site)
    floor = ["--time-floor", f"{moment(20):%Y-%m-%d}"]
    assert trusted(at(with_clock, IN_1970, site, root, *floor), document)


def test_a_certificate_that_expired_before_the_program_was_built(with_clock, serve_tls, workshop):
    root = workshop.root("An old root", days=(-9500, 3000))
    site = serve_tls(workshop.server(root, days=(-9000, -8000)))

    complaint = bad_dates(at(with_clock, IN_1970, site, root), site)

    assert "1970-" not in complaint


def test_a_pin_helps_whatever_the_clock_says(with_clock, site, document, certificate, root):
    for time in (IN_1970, f"{moment(3000):%Y-%m-%d 12:00:00}"):
        assert trusted(at(with_clock, time, site, root, "--pin", certificate.pin), document)
