"""The only wiring: settings → adapters → flows.

What needs Redis (``connection``) or looks after the machine (``upkeep``) is imported by those
verbs alone that need it.
"""

from runner.bootstrap.core import Runner, catalog_of, runner_from_environment

__all__ = ["Runner", "catalog_of", "runner_from_environment"]
