"""Tests that cannot hold with a system's mbedTLS (SYSTEM_MBEDTLS=1): third_party/README.md says why."""

import os
import re

import pytest

UNPARSED = "it refuses a chain for any certificate in it that it cannot parse"
KEYS = "it has kinds of keys that the pinned one leaves out"
MEMORY = "its memory is malloc's"
RANDOMNESS = "it gathers randomness by itself"
SOURCES = "compiles sources of the pinned mbedTLS"

# By how their names begin.
LEFT_OUT = {
    r"test_tls_agreement\.py::test_below_an_authority\[(permitted|excluded|as_public|\w+_critical)": UNPARSED,
    r"test_tls_agreement\.py::test_a_server\[policies_critical": UNPARSED,
    r"test_tls_servers\.py::test_a_certificate_that_is_sent_and_not_needed\[an_unknown_critical": UNPARSED,
    r"test_tls_servers\.py::test_a_certificate_that_is_sent_and_not_needed\[ed25519": UNPARSED,
    r"test_tls_trust\.py::test_an_authority_between_may_be_trusted_whoever_signed_it": UNPARSED,
    r"test_tls_words\.py::test_one_that_is_signed_with_ed25519": UNPARSED,
    r"test_tls_words\.py::test_an_authority_between_that_cannot_be_used\[1..-unknown_critical": UNPARSED,
    r"test_tls_words\.py::test_an_authority_between_that_cannot_be_used\[1..-p_521": KEYS,
    r"test_tls_words\.py::test_a_root_that_cannot_be_used\[1..-p_521": KEYS,
    r"test_tls_words\.py::test_a_server_with_an_unsupported_key\[1..-P-521": KEYS,
    r"test_tls_memory\.py::test_memory_that_is_not_enough_is_told": MEMORY,
    r"test_adversity\.py::test_a_sample_of_a_row_breaks_nothing\[memory": MEMORY,
    r"test_malloc\.py::test_tag_in_tls_with_a_file_of_certificates": MEMORY,
    r"test_tls_faults\.py::test_a_failing_call_leaves_the_tag_old_or_new\[getrandom-EINTR": RANDOMNESS,
    r"test_tls_faults\.py::test_without_the_call_for_randomness_there_is_the_file": RANDOMNESS,
    r"test_tls_faults\.py::test_without_any_randomness_nothing_is_sent": RANDOMNESS,
    r"test_contract\.py": SOURCES,
    r"test_library\.py": SOURCES,
}


def leave_out(items):
    """Marks them, if that is how the program was made."""
    if os.environ.get("SYSTEM_MBEDTLS") != "1":
        return
    for item in items:
        for name, reason in LEFT_OUT.items():
            if re.search(f"(^|/){name}", item.nodeid):
                item.add_marker(pytest.mark.skip(reason=f"a system's mbedTLS: {reason}"))
