"""Everything that decides, as pure functions over frozen data: no clock, no I/O, no Django."""
