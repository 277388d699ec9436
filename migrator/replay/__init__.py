"""Replay: the recorded migrations run from zero into a scratch database, by another process.

A migration finds its database by alias, so the alias has to mean the scratch database while it
is replayed. Only in a process of its own can no crash leave it meaning that.
"""

from migrator.replay.process import Replay, remove_stale, replay_digest

__all__ = ["Replay", "remove_stale", "replay_digest"]
