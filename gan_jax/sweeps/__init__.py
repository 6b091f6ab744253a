"""Many runs of one config: a search space in W&B's own schema, run locally or on a cluster, and what it says."""
