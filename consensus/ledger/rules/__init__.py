"""The rules of the ledger: what each kind of transaction does to the state, and when it is refused."""
