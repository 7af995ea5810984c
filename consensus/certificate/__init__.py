"""Certificates of promotions: made from the ledger, verified offline."""
