"""The demonstration: a whole swarm of real nodes on this machine, watched until it promotes a model."""
