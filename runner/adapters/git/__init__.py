"""The one door to git: our hardened git process, mirrors, objects, and the operator's own copy."""
