"""Bars in a terminal, and nothing elsewhere."""

import os
import pty
import subprocess
import sys

PROGRAM = """
from gan_jax.loggers.progress import Progress
shown = Progress(100, 0)
shown.report(50, [{"loss": 1.0}])
shown.show(50, "evaluating")
shown._bar._bar and shown._bar._bar.refresh()
shown.close()
print("the end", flush=True)
"""


def _in_a_terminal() -> str:
    leader, follower = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=follower, stderr=follower, env=environment
    ) as process:
        os.close(follower)
        output = b""
        while True:
            try:
                block = os.read(leader, 4096)
            except OSError:  # Linux: the other end is closed
                block = b""
            if not block:
                break
            output += block
    os.close(leader)
    assert process.returncode == 0, output
    return output.decode()


def test_a_terminal_shows_a_bar_and_the_lines_above_it():
    output = _in_a_terminal()
    assert "compiling" in output and "evaluating" in output
    assert " 50/100" in output and "the end" in output
    assert "\x1b[?25l" not in output, "the cursor is not hidden: a process may end at once"


def test_a_pipe_has_the_lines_alone():
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    lines = ran.stdout.splitlines()
    assert len(lines) == 2 and lines[1] == "the end" and "50/100" in lines[0]
    assert ran.stderr == ""


CLOSED = """
from gan_jax.experiment.command_line import main
from gan_jax.loggers.progress import Progress
def program(_):
    shown = Progress(100, 0)
    shown.show(1)
    input()
    shown.show(2, "evaluating")
    shown.report(50, [{"loss": 1.0}])
    shown.close()
    return 7
main(program)
"""


def test_nothing_is_raised_if_the_terminal_is_closed():
    leader, follower = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", CLOSED],
        stdin=subprocess.PIPE,
        stdout=follower,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        os.close(follower)
        while b"compiling" not in os.read(leader, 4096):
            pass
        os.close(leader)
        process.communicate(b"\n")
    assert process.returncode == 7
