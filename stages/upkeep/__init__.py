"""What keeps a lake well, each with its record: upkeep of tables, scrub, tiers, backups, reconciliation."""
