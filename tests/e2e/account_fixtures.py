"""The user who runs the program, and nothing of whoever runs the tests."""

import pytest
from accounts import Account


@pytest.fixture
def account(regtag, tmp_path):
    return Account(regtag, tmp_path)
