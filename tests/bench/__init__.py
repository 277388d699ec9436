"""Measurements: `migrate_all` beside Django's own `migrate`."""
