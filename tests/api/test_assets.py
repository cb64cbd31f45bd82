"""Downloads are whole and checked, or not there; the network is used only when asked."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchbench.api import Assets, BenchError, UsageError
from benchbench.api import download as downloads

CONTENT = bytes(range(256)) * 5_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT, well or badly, by path."""

    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        if self.path == "/to-a-file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        sent = {
            "/wrong": CONTENT[::-1],
            "/short": CONTENT[:-1],
            "/long": CONTENT + b"x" * 3_000_000,
            "/broken": CONTENT[: len(CONTENT) // 2],
        }.get(self.path, CONTENT)
        self.send_response(200)
        length = len(CONTENT) if self.path == "/broken" else len(sent)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        try:
            self.wfile.write(sent)
        except OSError:
            return
        if self.path == "/reset":
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[str]:
    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def fetch(assets: Assets, url: str) -> Path:
    return assets.fetch(url, sha256=SHA256, name="set/file.gz", size=len(CONTENT))


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("path", ["/good", "/moved"])
def test_a_good_file_is_kept_and_reused(server: str, tmp_path: Path, path: str) -> None:
    assets = Assets(download=True, cache=tmp_path)
    found = fetch(assets, server + path)
    assert found.read_bytes() == CONTENT
    asked = len(Handler.asked)
    assert fetch(assets, server + path) == found
    assert fetch(Assets(cache=tmp_path), server + path) == found
    assert len(Handler.asked) == asked
    assert files(tmp_path) == ["file.gz"]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/wrong", "other bytes than expected"),
        ("/short", f"{len(CONTENT) - 1} of {len(CONTENT)} bytes"),
        ("/broken", "nothing was kept"),
        ("/long", "more than"),
        ("/missing", "404"),
        ("/to-a-file", "nothing was kept"),
    ],
)
def test_a_bad_answer_leaves_nothing(server: str, tmp_path: Path, path: str, part: str) -> None:
    with pytest.raises(BenchError, match=part) as caught:
        fetch(Assets(download=True, cache=tmp_path), server + path)
    assert "\n" not in str(caught.value)
    assert "nothing was kept" in str(caught.value)
    assert files(tmp_path) == []


def test_a_damaged_file_in_the_cache_is_replaced(server: str, tmp_path: Path) -> None:
    target = tmp_path / "set" / "file.gz"
    target.parent.mkdir()
    for damaged in (CONTENT[:-1], CONTENT[::-1]):
        target.write_bytes(damaged)
        with pytest.raises(UsageError, match="is damaged"):
            fetch(Assets(cache=tmp_path), server + "/good")
        with pytest.raises(BenchError):
            fetch(Assets(download=True, cache=tmp_path), server + "/wrong")
        assert target.read_bytes() == damaged
        fetch(Assets(download=True, cache=tmp_path), server + "/good")
        assert target.read_bytes() == CONTENT


def test_an_interrupt_leaves_nothing(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the first chunk."""
    monkeypatch.setattr(downloads, "CHUNK", 1_000)
    seen: list[int] = []
    sha256 = hashlib.sha256

    class Interrupting:
        def __init__(self) -> None:
            self.state = sha256()

        def update(self, chunk: bytes) -> None:
            seen.append(len(chunk))
            if len(seen) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(downloads.hashlib, "sha256", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        fetch(Assets(download=True, cache=tmp_path), server + "/good")
    assert len(seen) == 2
    assert files(tmp_path) == []


def test_nothing_is_fetched_unless_asked(server: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--download.*2 MiB.*, or buy it") as caught:
        Assets(cache=tmp_path).fetch(
            server + "/good", sha256=SHA256, name="x", size=1_600_000, ways="buy it"
        )
    assert "\n" not in str(caught.value)
    assert Handler.asked == []
    assert files(tmp_path) == []


def test_no_network(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(BenchError, match="can't be reached"):
            fetch(Assets(download=True, cache=tmp_path), url)


def test_a_full_disk(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(downloads, "_copy", full)
    with pytest.raises(BenchError, match=r"No space left on device; .* are needed"):
        fetch(Assets(download=True, cache=tmp_path), server + "/good")
    assert files(tmp_path) == []


def test_a_cache_that_is_a_file(server: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("x")
    with pytest.raises(BenchError, match="can't be written"):
        fetch(Assets(download=True, cache=tmp_path / "cache"), server + "/good")


def test_folders_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (second / "a").write_text("")
    (second / "b").write_text("")
    (first / "b").write_text("")
    monkeypatch.setenv("BENCH_DATA", f"{second}")
    assets = Assets.of_user(first)
    assert assets.find("b") == first / "b"
    assert assets.find("a", "b") == first / "b"
    assert assets.find("a") == second / "a"
    assert assets.find("c") is None
    assert Assets.from_json(assets.to_json()) == assets
