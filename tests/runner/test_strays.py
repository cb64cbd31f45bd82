"""Nothing that a cell has started outlives it, in a session of its own or not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchbench.runner.strays import MARK, end_marked, new_mark

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")

ESCAPE = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def written(file: Path) -> int:
    """The process id that a grandchild writes."""
    assert until(lambda: file.is_file() and file.read_text() != "")
    return int(file.read_text())


def escaped(file: Path, mark: str) -> int:
    """The process id of a grandchild in a session of its own, whose grandparent is gone."""
    command = [sys.executable, "-S", "-c", ESCAPE, str(file)]
    subprocess.run(command, env={**os.environ, MARK: mark}, check=True, timeout=60)
    return written(file)


@pytest.fixture
def mark() -> Iterator[str]:
    found = new_mark()
    yield found
    end_marked(found)


def test_a_session_of_its_own_is_no_way_out(tmp_path: Path, mark: str) -> None:
    other = new_mark()
    mine, not_mine = escaped(tmp_path / "a", mark), escaped(tmp_path / "b", other)
    assert alive(mine) and alive(not_mine)
    end_marked(mark)
    assert until(lambda: not alive(mine))
    assert alive(not_mine)
    end_marked(other)
    assert until(lambda: not alive(not_mine))


def test_it_ends_when_the_parent_of_its_worker_is_gone(tmp_path: Path, mark: str) -> None:
    reading, writing = os.pipe()
    file = tmp_path / "pid"
    code = f"""
import subprocess, sys
from benchbench.runner.stopping import end_with_parent
end_with_parent({reading})
subprocess.run([sys.executable, "-S", "-c", {ESCAPE!r}, {str(file)!r}], check=True)
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, MARK: mark},
        pass_fds=[reading],
        start_new_session=True,
    )
    os.close(reading)
    assert worker.wait(60) == 0
    pid = written(file)
    assert alive(pid)
    os.close(writing)
    assert until(lambda: not alive(pid))
