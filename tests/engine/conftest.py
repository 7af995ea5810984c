"""What the engine's tests share: the configurations, with kernels compiled before the first test."""

import pytest

from engine.config import CONFIGS, Config

SMALL = [made for made in CONFIGS.values() if made.rings == 18]
ALL = list(CONFIGS.values())


def _name(config: Config) -> str:
    return config.name


@pytest.fixture(params=SMALL, ids=_name)
def small_config(request: pytest.FixtureRequest, kernels: None) -> Config:
    """Each of the six configurations on the small boards."""
    config: Config = request.param
    return config


@pytest.fixture(params=ALL, ids=_name)
def any_config(request: pytest.FixtureRequest, kernels: None) -> Config:
    """Each of the twelve configurations."""
    config: Config = request.param
    return config
