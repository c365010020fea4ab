"""Fixtures of several tests of bundles."""

import pytest


@pytest.fixture
def source_alone(monkeypatch):
    """Bundles of `model.py` and no other form, which take seconds: for what is not about them."""
    from nas.source import formats

    def refuse(*_):
        raise ValueError("this test wants it so")

    monkeypatch.setattr(formats, "exported", refuse)
