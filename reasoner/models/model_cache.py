"""Model folders built once from weights in another form, for a cache on disk."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from reasoner.errors import ConfigError, ReasonerError, StoreError
from reasoner.files import clipped, make_folder, shown

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the folder of the cache: `reasoner/models` in `XDG_CACHE_HOME` or `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if os.path.isabs(home) else Path.home() / ".cache"
    return base / "reasoner" / "models"


def built(source: Path, key: str, name: str, write: Callable[[Path], None]) -> Path:
    """Return the folder `name` of a key in the cache, which `write` fills by the first call.

    One process at a time builds; the folder appears as a whole, or not at all. `key` identifies what is
    built, and `source` is what messages name.

    Raises:
        ConfigError: the weights cannot be converted.
        StoreError: the cache cannot be written.
    """
    target = cache_folder() / key / name
    if not target.is_dir():
        with _one_writer(cache_folder() / f"{key}.lock"):
            if not target.is_dir():
                _build(source, target, write)
    return target


@contextmanager
def _one_writer(lock: Path) -> Generator[None]:
    """Wait until no other process holds `lock`, and hold it."""
    make_folder(lock.parent)
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as e:
        raise StoreError(f"cannot write {shown(lock)}: {e.strerror}; set XDG_CACHE_HOME") from e
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _build(source: Path, target: Path, write: Callable[[Path], None]) -> None:
    part = target.parent.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)  # A process that was killed may have left one.
    _log.warning("converting %s once, to %s", shown(source), shown(target))
    try:
        part.mkdir()
        write(part)
        target.parent.mkdir(exist_ok=True)
        part.rename(target)
    except ReasonerError:
        raise
    except Exception as e:  # Libraries raise any error on untrusted files.
        reason = clipped(
            getattr(e, "strerror", None) or str(e).partition("\n")[0] or type(e).__name__
        )
        raise ConfigError(f"cannot convert {shown(source)}: {reason}") from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
