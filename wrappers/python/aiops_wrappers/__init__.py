"""The Python parts of the wrappers: standard library only, run inside the sandbox."""
