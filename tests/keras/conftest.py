"""The data of the tests of this folder."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    """Some of scikit-learn's digits, and what they are."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return (images[:320] / 16).astype("float32"), labels[:320]
