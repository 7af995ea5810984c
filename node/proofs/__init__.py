"""Files that convince outsiders: certificates, and proofs of wrong results."""
