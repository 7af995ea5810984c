"""What tests of the engine and of the benches share: kernels compiled before the first of them."""

import pytest

import engine


@pytest.fixture(scope="session")
def kernels() -> None:
    """Compile once, so that no single test is charged for it."""
    engine.warm()
