"""Who is asked when, and the sync messages."""
