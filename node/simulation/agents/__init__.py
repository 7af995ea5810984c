"""Agents on one real ledger in virtual time, without sockets and without a DAG: what the swarm's steering leads to."""
