"""Actions: each module is the one door to an outside system. Nothing here decides."""
