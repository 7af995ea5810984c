"""What is wrong with a setting, in one line for people."""

from __future__ import annotations

from fractions import Fraction


class SettingsError(ValueError):
    """A setting that cannot be used, as one line that says what it must be.

    `section` and `setting` name it; they are empty if it is the list of configurations.
    """

    def __init__(self, reason: str, section: str = "", setting: str = "") -> None:
        name = ".".join(part for part in ("settings", section, setting) if part)
        super().__init__(f"{name}: {reason}" if section else reason)
        self.section = section
        self.setting = setting


class UnknownSettingError(SettingsError):
    """A setting that this program does not have; a newer one may."""


def format_value(value: object) -> str:
    """Return a value as text for a message, shortened to 80 characters."""
    try:
        text = str(value) if isinstance(value, Fraction) else repr(value)
    except ValueError:  # Python refuses to write integers with that many digits
        text = "a number of very many digits"
    return text if len(text) <= 80 else text[:77] + "..."
