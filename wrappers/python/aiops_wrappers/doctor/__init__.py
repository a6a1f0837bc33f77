"""What ``repo_doctor`` looks at, one subject a module."""
