"""Proofs of wrong results: written by each node, shown to people, checked by anybody."""
