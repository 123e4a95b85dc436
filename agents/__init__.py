"""Meta-RL agents: one algorithm per file."""
