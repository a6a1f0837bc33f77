"""Review bundles and packets: what both review wrappers have in common."""
