"""Who is in, where, and how that changes: governance, proposals, address book, admission, joining."""
