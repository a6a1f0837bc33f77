"""The operator's files that say what is allowed: read strictly, each error with file and line."""
