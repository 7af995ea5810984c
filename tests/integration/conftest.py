"""What whole swarms in this process share."""

from collections.abc import Iterator

import pytest

from node.simulation.run import short_preimage_chains


@pytest.fixture(scope="module", autouse=True)
def _short_chains() -> Iterator[None]:
    """Chains of preimages for as many rounds as a test has: one of full length takes 50 ms, a member and epoch."""
    with short_preimage_chains():
        yield
