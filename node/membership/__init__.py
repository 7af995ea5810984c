"""Who is a member, at which address, and how that changes: governance, proposals, address book, admission, joining."""
