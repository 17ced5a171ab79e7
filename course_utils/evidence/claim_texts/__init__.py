"""What the claims say: one module per part of the course; importing it registers its claims with the ledger."""
