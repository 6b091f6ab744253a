"""Many devices and processes: the device mesh, collectives over a split batch, jobs of several processes."""
