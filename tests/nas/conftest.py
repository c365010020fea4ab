"""What several tests of bundles use."""

from contextlib import contextmanager

import pytest


@contextmanager
def sources_alone():
    """Bundles of `model.py` and no other form, which take seconds: for what is not about them."""
    from nas.bundles import forms

    def refuse(*_):
        raise ValueError("this test wants it so")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "exported", refuse)
        yield


@pytest.fixture
def source_alone():
    with sources_alone():
        yield
