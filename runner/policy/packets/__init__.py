"""What a reviewer is given of a range, and why nothing of it can be missing: pure, on bytes.

This package, like everything that ``runner.flows.bundle`` and ``runner.flows.prove`` import, uses
the standard library alone: a wrapper imports it inside the sandbox, where nothing else is.
"""
