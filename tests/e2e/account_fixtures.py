"""The user who runs the program, and nothing of whoever runs the tests."""

import os

import pytest
from accounts import Account

FOR_TESTS = "REGTAG_TRANSITIONS"
NOT_OURS = [
    "DOCKER_AUTH_CONFIG",
    "DOCKER_CONFIG",
    "REGISTRY_AUTH_FILE",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
]


@pytest.fixture
def account(regtag, tmp_path, monkeypatch):
    for name in set(os.environ) - {FOR_TESTS}:
        if name in NOT_OURS or name.startswith("REGTAG_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return Account(regtag, tmp_path)
