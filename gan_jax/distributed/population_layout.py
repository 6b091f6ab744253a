"""How the members of a population are divided over devices."""

import math


def members_per_device(size: int, devices: int) -> tuple[int, int]:
    """Divides a population over devices.

    Each device gets as few members as possible, ``ceil(size / devices)``, and as few devices are
    used as that needs.

    Args:
      size: the number of members.
      devices: the number of devices.

    Returns:
      The number of devices to use, and the size of the population after it is padded to divide
      evenly over them.
    """
    per_device = math.ceil(size / devices)
    used_devices = math.ceil(size / per_device)
    return used_devices, used_devices * per_device
