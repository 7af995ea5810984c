"""What two honest nodes must agree on: events, their order, the ledger, certificates. Pure, sans-I/O."""
