"""How a node that is new, or was away for epochs, comes to the present without the events between.

It fetches the chain of sealed records from the newest one that it trusts, then the ledger snapshot that the last of
them names, and begins the epoch that this one opens; the events of that epoch come by gossip, as always. Nothing is
believed because a peer says it: each record carries the seals of more than 2/3 of the roster before it, and the
snapshot has the digest that the record names.
"""
