"""The work a node does for the swarm: choose, claim, perform in a child process, report, check, vote, seal."""
