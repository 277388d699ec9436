"""Carrying out a repair plan: its SQL, what the rows do not allow, and doing it."""

from migrator.mending.mender import Mender, Mending, plan_mending
from migrator.mending.proposals import propose_sql

__all__ = ["Mender", "Mending", "plan_mending", "propose_sql"]
