"""A node's work for the swarm: choose, claim, perform in a child process, report, check, vote, seal."""
