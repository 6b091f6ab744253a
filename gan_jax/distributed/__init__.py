"""Many devices and processes: the device mesh, collectives, jobs of several processes, CPU
settings."""
