"""What touches the world: identity, peers, storage, workers, HTTP, command line."""
