"""The machine below: clock, files, logs, shutdown, version, device."""
