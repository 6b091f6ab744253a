"""Many devices and processes: the device mesh, collectives, jobs, and settings of a CPU.

Import its modules: ``mesh``, ``collectives``, ``multihost``, ``cpu``.
"""
