"""What a program in the sandbox sees, and the limits it is put under, as a command line."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError

MIB = 2**20
NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
PREFIX = Path("/python")
NOBODY = "65534"
FLAGS = ("-s", "-S", "-P", "-X", "utf8")
"""Python without site packages, its own folder or the user's: the standard library alone."""

BARE = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
INSIDE = BARE | {"PATH": f"{PREFIX}/bin:/usr/bin:/bin", "LD_LIBRARY_PATH": f"{PREFIX}/lib"}
"""The environment. Sets of strings keep their order from run to run."""


@dataclass(frozen=True)
class Limits:
    """The most that one run may take; sizes in bytes.

    All its memory together is at most `processes * memory + scratch`, and what the kernel keeps for
    it: about 1 KiB for each of the `files`, and 208 KiB for each of the open ones that is a socket.
    """

    seconds: PositiveFloat = 10.0
    """By the clock on the wall, from the moment it starts."""
    cpu_seconds: PositiveInt = 5
    """Of processor time, each process."""
    memory: PositiveInt = 512 * MIB
    """Address space, each process."""
    processes: PositiveInt = 4
    """Alive at once, threads included."""
    file_size: PositiveInt = 16 * MIB
    scratch: PositiveInt = 64 * MIB
    """All files in /tmp together."""
    files: PositiveInt = 4096
    """Files, folders and links in /tmp."""
    open_files: PositiveInt = Field(default=64, ge=16)
    output: PositiveInt = 64 * 1024
    """Standard output and standard error, each; who writes more is stopped."""


def python(prefix: Path, source: str) -> list[str]:
    """The command that runs the Python of `prefix` on the file `source`."""
    return [f"{prefix}/bin/{NAME}", *FLAGS, source]


def plain(program: Sequence[str], limits: Limits) -> list[str]:
    """`program` under the limits of a process, and no sandbox: root's becomes nobody's.

    Raises:
        ConfigError: a tool is missing, or `program` lies where only root can reach it.
    """
    _need("prlimit", "util-linux")
    if os.geteuid() != 0:
        return _limited(program, limits)
    if not _open_to_all(Path(program[0])):
        raise ConfigError(
            f"sandbox='none' does not run programs as root, and nobody else may run {program[0]};"
            " use sandbox='bubblewrap', another user, or a Python that all may run"
        )
    return [*_nobody(), *_limited(program, limits)]


def bubblewrap(
    program: Sequence[str],
    limits: Limits,
    *,
    files: dict[str, int],
    seccomp: int,
    status: int,
) -> list[str]:
    """`program` in a sandbox; `files` are put there, read-only, from open descriptors.

    bwrap reads its system-call filter from `seccomp` and tells on `status` how it goes.

    Raises:
        ConfigError: a tool it needs is not installed.
    """
    bwrap = _need("bwrap", "bubblewrap")
    _need("prlimit", "util-linux")
    root = os.geteuid() == 0
    return [
        *_with_scratch(bwrap, limits, root),
        bwrap,
        *("--unshare-all", "--unshare-user", "--disable-userns", "--uid", NOBODY, "--gid", NOBODY),
        *("--die-with-parent", "--cap-drop", "ALL", "--hostname", "sandbox"),
        *("--clearenv", *(x for pair in INSIDE.items() for x in ("--setenv", *pair))),
        *_system(PREFIX),
        *("--bind", "/tmp", "/tmp", "--symlink", "/tmp", "/dev/shm"),
        *(x for name, fd in files.items() for x in ("--ro-bind-data", str(fd), name)),
        *("--remount-ro", "/", "--chdir", "/tmp"),
        *("--seccomp", str(seccomp), "--json-status-fd", str(status), "--"),
        # All of bwrap's own stays in one process group, which can be killed at any moment of its
        # start; only the program, which must not reach that group, leaves it.
        *_limited(["setsid", *program], limits, extra=1),
    ]  # fmt: skip


def _with_scratch(bwrap: str, limits: Limits, root: bool) -> list[str]:
    """What runs a command where /tmp is in memory and bounded, and where root is an ordinary user.

    bwrap itself bounds the bytes of such a folder but not its files, each of which takes memory of
    the kernel. The limit of processes does not bind root; and its successor may not be allowed to
    the folder Python lies in, which is therefore put in reach.
    """
    _need("mount", "mount")
    # CAP_SETFCAP lets the sandbox proper have a user of its own for this namespace's root.
    rights = ["--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETFCAP"]
    if not root:
        rights += ["--unshare-user", "--uid", "0", "--gid", "0"]
    view = [*_system(Path(sys.base_prefix)), "--bind", "/proc", "/proc", "--dir", "/tmp"]
    options = f"size={limits.scratch},nr_inodes={limits.files + 1},mode=1777,nosuid,nodev"
    mounting = ["/bin/sh", "-c", 'mount -t tmpfs -o "$0" scratch /tmp && exec "$@"', options]
    return [
        *(bwrap, "--die-with-parent", *rights, *view, "--"),
        *mounting,
        *(_nobody() if root else []),
    ]


def _nobody() -> list[str]:
    """What makes root's command nobody's."""
    setpriv = _need("setpriv", "util-linux")
    rights = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs"]
    return [setpriv, *rights, "--pdeathsig", "KILL"]


def _open_to_all(path: Path) -> bool:
    """Whether every user may run `path`, if it is one."""
    return not path.is_absolute() or all(
        place.stat().st_mode & stat.S_IXOTH for place in (path.resolve(), *path.resolve().parents)
    )


def _system(prefix: Path) -> list[str]:
    """The part of the machine that may be read: /usr, the Python of `prefix`, four devices."""
    shown = ["--ro-bind", "/usr", "/usr"]
    for folder in (Path("/bin"), Path("/lib"), Path("/lib64")):
        if folder.is_symlink():
            shown += ["--symlink", os.readlink(folder), str(folder)]
        elif folder.is_dir():
            shown += ["--ro-bind", str(folder), str(folder)]
    shown += ["--dir", str(PREFIX), "--dir", f"{PREFIX}/bin"]
    shown += ["--ro-bind", f"{prefix}/bin/{NAME}", f"{PREFIX}/bin/{NAME}"]
    shown += ["--symlink", NAME, f"{PREFIX}/bin/python3"]
    shown += ["--ro-bind", f"{prefix}/lib", f"{PREFIX}/lib"]
    shown += ["--ro-bind-try", f"{prefix}/lib64", f"{PREFIX}/lib64"]
    shown += ["--dir", "/dev"]
    for device in ("null", "zero", "random", "urandom"):
        shown += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    return shown


def _limited(program: Sequence[str], limits: Limits, *, extra: int | None = None) -> list[str]:
    """The limits of a process, and of the user's processes where there are `extra` ones only."""
    bounds = {
        "core": 0,
        "as": _allowed(resource.RLIMIT_AS, limits.memory),
        "fsize": _allowed(resource.RLIMIT_FSIZE, limits.file_size),
        "nofile": _allowed(resource.RLIMIT_NOFILE, limits.open_files),
        # The first is a signal that tells why, the second cannot be ignored.
        "cpu": f"{limits.cpu_seconds}:{limits.cpu_seconds + 1}",
    }
    if extra is not None:
        bounds["nproc"] = _allowed(resource.RLIMIT_NPROC, limits.processes + extra)
    return ["prlimit", *(f"--{name}={bound}" for name, bound in bounds.items()), "--", *program]


def _allowed(kind: int, limit: int) -> int:
    """`limit`, or what this process has itself, where that is less: it cannot give more."""
    own = resource.getrlimit(kind)[1]
    return limit if own == resource.RLIM_INFINITY else min(limit, own)


def _need(tool: str, package: str) -> str:
    if found := shutil.which(tool):
        return found
    raise ConfigError(
        f"the sandbox needs {tool!r}, which is not on PATH: install it with"
        f" `apt install {package}` (Debian, Ubuntu) or `dnf install {package}` (Fedora);"
        " sandbox='none' runs without, and then programs can harm this machine"
    )
