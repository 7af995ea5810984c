"""What the swarm needs most, computed from the ledger alone: shares of self-play, quality, training, curriculum."""
