"""A process of the case devices: plays a call for each line that it reads, and writes the seconds it took."""

import json
import sys
import time

from images import ours

from gan_jax.command_line import set_up_jax


def main(devices: int, mapping: str, small: bool) -> None:
    import jax

    set_up_jax()
    assert jax.device_count() == devices
    play = ours("dcgan", 28, 8 if small else 64, 4 if small else 32, 1 if small else 4, channels=1, mapping=mapping)
    play()
    for _ in sys.stdin:
        start = time.perf_counter()
        play()
        print(json.dumps(time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], bool(int(sys.argv[3])))
