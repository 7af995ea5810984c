"""What a person gives a node: the swarm file, addresses, keys, and how a swarm is founded."""
