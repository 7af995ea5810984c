"""The shapes of what a node tells, and where on this machine it tells it."""
