"""Meta-World as task distributions."""
