"""The state that the ledger keeps: tables, epochs, snapshots, differences."""
