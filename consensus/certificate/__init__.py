"""Certificates of promotions: made from the ledger, read and verified offline."""
