"""Whole swarms in one process: real members and gossip on a fake network, disk and clock, from one seed."""
