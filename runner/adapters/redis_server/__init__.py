"""A private Redis that nobody has to install: started when needed, shared, stopped with its last user."""

from runner.adapters.redis_server.embedded import EmbeddedRedis

__all__ = ["EmbeddedRedis"]
