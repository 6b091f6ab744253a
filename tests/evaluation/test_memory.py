"""What cannot fit in memory is refused."""

import pytest

from gan_jax.errors import UserError
from gan_jax.evaluation import memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Writes what a machine and its cgroup say about memory."""
    monkeypatch.setattr(memory, "MEMORY_INFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)

    def write(available_kb=None, limit=None, used=0):
        if available_kb is not None:
            text = f"MemTotal: 99999999 kB\nMemAvailable:   {available_kb} kB\n"
            (tmp_path / "meminfo").write_text(text)
        if limit is not None:
            (tmp_path / "memory.max").write_text(f"{limit}\n")
            (tmp_path / "memory.current").write_text(f"{used}\n")

    return write


def test_available_memory_is_the_less_of_the_machine_and_the_cgroup(machine):
    assert memory.available_memory() is None
    memory.check_memory("anything", 10**18, "-")  # refuses nothing if nothing is known
    machine(available_kb=8_000_000, limit="max")
    assert memory.available_memory() == 8_192_000_000
    machine(limit=5_000_000_000, used=1_000_000_000)
    assert memory.available_memory() == 4_000_000_000


def test_more_than_is_available_is_refused_with_both_numbers(machine):
    machine(available_kb=1_000_000)
    memory.check_memory("it", 10**9, "choose less")
    with pytest.raises(
        UserError, match=r"it would take 2.0 GB .* only 1.0 GB is available: choose"
    ):
        memory.check_memory("it", 2 * 10**9, "choose less")
