"""Fixtures that folders of tests share."""

import pytest
import standin_set


@pytest.fixture(scope="session", name="nano")
def nano_standins(tmp_path_factory):
    """The folder of the stand-ins at the scale of tests, made once. Nobody writes there."""
    out = tmp_path_factory.mktemp("standins") / "nano"
    standin_set.generate(out)
    return out
