"""Which peer is asked when, and what is said: the sync of events between two nodes."""
