"""What DDL costs, measured on real servers and compared with `migrator.core.costs`."""
