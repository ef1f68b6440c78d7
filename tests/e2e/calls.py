"""The system calls of a run, for tests that end it at each of them."""

import re
from collections import Counter

CALL = re.compile(r"^(?:\d+ +)?([a-z0-9_]+)\(")


def every_call(strace, args, most):
    """All calls of a run without a fault, once it has begun, fewer than `most`: name and how many-th of it."""
    result, trace = strace(["-e", "trace=all"], args)
    assert result.status == 0, result
    count = Counter()
    found = []
    for line in trace.splitlines():
        if match := CALL.match(line):
            count[match[1]] += 1
            if match[1] not in ("execve", "exit_group"):
                found.append((match[1], count[match[1]]))
    assert 20 < len(found) < most, found
    return found
