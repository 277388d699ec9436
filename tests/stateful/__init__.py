"""Sequences of everything that may happen to a database and its journal, found by Hypothesis."""
