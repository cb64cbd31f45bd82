"""One file from the network: streamed beside its target, checked, then renamed.

Whatever goes wrong on the way (no network, a connection that breaks, wrong bytes, a full disk),
the target keeps its old content or stays absent: nothing is ever taken for whole that is not.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from benchbench import __version__
from benchbench.api.errors import BenchError, one_line
from benchbench.api.files import write_atomic

__all__ = ["download", "mebibytes"]

TIMEOUT_SECONDS = 30.0
"""Without a byte for this long, the connection counts as lost."""
CHUNK = 1 << 20


def download(url: str, target: Path, *, sha256: str, size: int) -> None:
    """Fetch `url` into `target`; raises BenchError in one line that says what went wrong.

    sha256: of the whole file, in hexadecimal. size: of the whole file, in bytes.
    """
    print(f"downloading {url} ({mebibytes(size)})", file=sys.stderr)
    try:
        write_atomic(target, lambda temporary: _fill(temporary, url, sha256, size))
    except BenchError:
        raise
    except urllib.error.HTTPError as error:
        raise BenchError(f"{url} answered {error.code} {error.reason}; nothing was kept") from None
    except urllib.error.URLError as error:
        raise BenchError(f"{url} can't be reached: {error.reason}; nothing was kept") from None
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        text = one_line(str(error)) or type(error).__name__
        raise BenchError(
            f"the download of {url} broke off: {text}; nothing was kept, run it again"
        ) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        need = f"; {mebibytes(size)} are needed" if full else ""
        raise BenchError(
            f"{str(target.parent)!r} can't be written: {error.strerror or error}{need}; set "
            "XDG_CACHE_HOME to a folder on another disk"
        ) from None


def mebibytes(size: int) -> str:
    """A file size for a person.

    >>> mebibytes(4_542), mebibytes(170_052_171)
    ('5 KiB', '162 MiB')
    """
    return f"{-(-size // 2**10)} KiB" if size < 2**20 else f"{size / 2**20:.0f} MiB"


def _fill(temporary: Path, url: str, sha256: str, size: int) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": f"benchbench/{__version__}"})
    with (
        urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer,
        temporary.open("wb") as file,
    ):
        received, digest = _copy(answer, file, size)
    if received != size:
        more = "more than" if received > size else f"{received} of"
        raise BenchError(f"{url} sent {more} {size} bytes; nothing was kept, run it again")
    if digest != sha256:
        raise BenchError(
            f"{url} sent other bytes than expected (SHA-256 {digest[:16]}…, expected "
            f"{sha256[:16]}…); nothing was kept"
        )


def _copy(answer: IO[bytes], file: IO[bytes], size: int) -> tuple[int, str]:
    """Bytes received, at most one chunk more than `size`, and their SHA-256."""
    state, received = hashlib.sha256(), 0
    while received <= size and (chunk := answer.read(CHUNK)):
        file.write(chunk)
        state.update(chunk)
        received += len(chunk)
    return received, state.hexdigest()
