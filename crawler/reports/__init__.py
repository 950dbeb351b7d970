"""What the database adds up to: the ledger and counts."""
