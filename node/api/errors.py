"""The shape of the answer of every path that cannot do what was asked, with an HTTP status of 400 or above."""

from typing import TypedDict


class ErrorInfo(TypedDict):
    """The answer of every path that cannot do what was asked; the HTTP status says what kind of mistake it is."""

    error: str
    """What is wrong and what to do about it, in one line."""
