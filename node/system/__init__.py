"""What the other rooms build on: clock, files, logs, shutdown, version, device, and tasks that end together."""
