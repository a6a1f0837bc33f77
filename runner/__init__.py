"""Runs CI and analysis jobs against git repositories that they cannot change."""

__version__ = "0.1.0"
