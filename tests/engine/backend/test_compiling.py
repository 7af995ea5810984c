"""Whoever watches a job learns that it compiles: from the first line of a module's compilation to its last."""

from __future__ import annotations

import pytest

import training.kernels
from engine.backend.compiling import compiling, observing_compiling
from engine.backend.cpu import compile_kernels


def test_loading_and_compiling_kernels_is_told(kernels: None) -> None:
    told: list[str] = []
    with observing_compiling(told.append):
        compile_kernels.__wrapped__(training.kernels.__name__)
    assert told == ["training.kernels", ""]
    compile_kernels.__wrapped__(training.kernels.__name__)
    assert len(told) == 2


def test_the_end_is_told_whatever_happens() -> None:
    told: list[str] = []
    with observing_compiling(told.append), pytest.raises(ValueError, match="no room"), compiling("a"):
        raise ValueError("no room")
    assert told == ["a", ""]
