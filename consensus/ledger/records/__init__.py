"""What the ledger reads and keeps: transactions, entities, effects, and their forms as bytes."""
