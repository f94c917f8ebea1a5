"""The file system and the resource limits of a sandbox, as a command line."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError

MIB = 2**20
NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
PREFIX = Path("/python")
NOBODY = "65534"
FLAGS = ("-s", "-S", "-P", "-X", "utf8")
"""Python without site packages, the script's folder or the user's: the standard library alone."""

BARE = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
INSIDE = BARE | {"PATH": f"{PREFIX}/bin:/usr/bin:/bin", "LD_LIBRARY_PATH": f"{PREFIX}/lib"}
"""The environment. The fixed hash seed keeps the order of string sets from run to run."""


@dataclass(frozen=True)
class Limits:
    """The resource limits of one run; sizes in bytes.

    Its total memory is at most `processes * memory + scratch`, plus kernel memory: about 1 KiB for each
    of the `files`, and 208 KiB for each open socket.
    """

    seconds: PositiveFloat = 10.0
    """Wall-clock time from the start of the run."""
    cpu_seconds: PositiveInt = 5
    """CPU time, per process."""
    memory: PositiveInt = 512 * MIB
    """Address space, per process."""
    processes: PositiveInt = 4
    """Processes alive at once, including threads."""
    file_size: PositiveInt = 16 * MIB
    scratch: PositiveInt = 64 * MIB
    """Total size of all files in /tmp."""
    files: PositiveInt = 4096
    """Number of files, folders and links in /tmp."""
    open_files: PositiveInt = Field(default=64, ge=16)
    output: PositiveInt = 64 * 1024
    """Size of standard output and of standard error; a program that writes more is stopped."""


def python(prefix: Path, source: str) -> list[str]:
    """Return the command that runs the Python of `prefix` on the file `source`."""
    return [f"{prefix}/bin/{NAME}", *FLAGS, source]


def plain(program: Sequence[str], limits: Limits) -> list[str]:
    """Return the command for `program` under process limits and without a sandbox.

    Under root, the command runs as the user nobody.

    Raises:
        ConfigError: a tool is missing, or only root can reach `program`.
    """
    _need("prlimit", "util-linux")
    if os.geteuid() != 0:
        return _limited(program, limits)
    if not _open_to_all(Path(program[0])):
        raise ConfigError(
            f"sandbox='none' does not run programs as root, and no other user may run {program[0]};"
            " use sandbox='bubblewrap', another user, or a Python that all users may run"
        )
    return [*_nobody(), *_limited(program, limits)]


def bubblewrap(
    program: Sequence[str],
    limits: Limits,
    *,
    files: dict[str, int],
    folders: Mapping[str, Path] = {},
    seccomp: int,
    status: int,
) -> list[str]:
    """Return the command for `program` in a sandbox.

    `files` maps read-only paths in the sandbox to open descriptors, `folders` to folders outside. bwrap
    reads its system-call filter from `seccomp` and reports its progress on `status`.

    Raises:
        ConfigError: a tool it needs is not installed.
    """
    bwrap = _need("bwrap", "bubblewrap")
    _need("prlimit", "util-linux")
    root = os.geteuid() == 0
    return [
        *_with_scratch(bwrap, limits, root, folders),
        bwrap,
        *("--unshare-all", "--unshare-user", "--disable-userns", "--uid", NOBODY, "--gid", NOBODY),
        *("--die-with-parent", "--cap-drop", "ALL", "--hostname", "sandbox"),
        *("--clearenv", *(x for pair in INSIDE.items() for x in ("--setenv", *pair))),
        *_system(PREFIX),
        *_mounted({place: Path(place) for place in folders}),
        *("--bind", "/tmp", "/tmp", "--symlink", "/tmp", "/dev/shm"),
        *(x for name, fd in files.items() for x in ("--ro-bind-data", str(fd), name)),
        *("--remount-ro", "/", "--chdir", "/tmp"),
        *("--seccomp", str(seccomp), "--json-status-fd", str(status), "--"),
        # bwrap's own processes stay in one group, which can be killed at any moment of their start.
        # Only the program leaves the group, since it must not be able to reach it.
        *_limited(["setsid", *program], limits, extra=1),
    ]  # fmt: skip


def _with_scratch(bwrap: str, limits: Limits, root: bool, folders: Mapping[str, Path]) -> list[str]:
    """Return a command prefix that bounds /tmp, in memory, and makes root an ordinary user.

    bwrap bounds the bytes of such a folder but not the number of its files, which take kernel memory.
    The limit of processes does not bind root, so root becomes nobody; nobody may not have access to
    the folder of Python, which is therefore mounted, as are `folders`.
    """
    _need("mount", "mount")
    # CAP_SETFCAP lets the sandbox proper have a user of its own for this namespace's root.
    rights = ["--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETFCAP"]
    if not root:
        rights += ["--unshare-user", "--uid", "0", "--gid", "0"]
    view = [*_system(Path(sys.base_prefix)), *_mounted(folders)]
    view += ["--bind", "/proc", "/proc", "--dir", "/tmp"]
    options = f"size={limits.scratch},nr_inodes={limits.files + 1},mode=1777,nosuid,nodev"
    mounting = ["/bin/sh", "-c", 'mount -t tmpfs -o "$0" scratch /tmp && exec "$@"', options]
    return [
        *(bwrap, "--die-with-parent", *rights, *view, "--"),
        *mounting,
        *(_nobody() if root else []),
    ]


def _nobody() -> list[str]:
    """Return a command prefix that changes the user from root to nobody."""
    setpriv = _need("setpriv", "util-linux")
    rights = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs"]
    return [setpriv, *rights, "--pdeathsig", "KILL"]


def _open_to_all(path: Path) -> bool:
    """Return True if every user may run `path`, or if it is a bare command name."""
    return not path.is_absolute() or all(
        place.stat().st_mode & stat.S_IXOTH for place in (path.resolve(), *path.resolve().parents)
    )


def _mounted(folders: Mapping[str, Path]) -> list[str]:
    """Return the read-only mounts of `folders` at their paths in the sandbox."""
    return [x for place, folder in folders.items() for x in ("--ro-bind", str(folder), place)]


def _system(prefix: Path) -> list[str]:
    """Return the mounts of the readable system: /usr, the Python of `prefix`, four devices."""
    mounts = ["--ro-bind", "/usr", "/usr"]
    for folder in (Path("/bin"), Path("/lib"), Path("/lib64")):
        if folder.is_symlink():
            mounts += ["--symlink", os.readlink(folder), str(folder)]
        elif folder.is_dir():
            mounts += ["--ro-bind", str(folder), str(folder)]
    mounts += ["--dir", str(PREFIX), "--dir", f"{PREFIX}/bin"]
    mounts += ["--ro-bind", f"{prefix}/bin/{NAME}", f"{PREFIX}/bin/{NAME}"]
    mounts += ["--symlink", NAME, f"{PREFIX}/bin/python3"]
    mounts += ["--ro-bind", f"{prefix}/lib", f"{PREFIX}/lib"]
    mounts += ["--ro-bind-try", f"{prefix}/lib64", f"{PREFIX}/lib64"]
    mounts += ["--dir", "/dev"]
    for device in ("null", "zero", "random", "urandom"):
        mounts += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    return mounts


def _limited(program: Sequence[str], limits: Limits, *, extra: int | None = None) -> list[str]:
    """Return `program` under process limits; with `extra`, also limit the number of processes.

    `extra` is the number of helper processes beside the program's own.
    """
    bounds = {
        "core": 0,
        "as": _allowed(resource.RLIMIT_AS, limits.memory),
        "fsize": _allowed(resource.RLIMIT_FSIZE, limits.file_size),
        "nofile": _allowed(resource.RLIMIT_NOFILE, limits.open_files),
        # The first sends a signal that names the limit; the second cannot be ignored.
        "cpu": f"{limits.cpu_seconds}:{limits.cpu_seconds + 1}",
    }
    if extra is not None:
        bounds["nproc"] = _allowed(resource.RLIMIT_NPROC, limits.processes + extra)
    return ["prlimit", *(f"--{name}={bound}" for name, bound in bounds.items()), "--", *program]


def _allowed(kind: int, limit: int) -> int:
    """Return `limit`, or this process's own limit if lower, since it cannot grant more."""
    own = resource.getrlimit(kind)[1]
    return limit if own == resource.RLIM_INFINITY else min(limit, own)


def _need(tool: str, package: str) -> str:
    if path := shutil.which(tool):
        return path
    raise ConfigError(
        f"the sandbox needs {tool!r}, which is not on PATH: install it with"
        f" `apt install {package}` (Debian, Ubuntu) or `dnf install {package}` (Fedora);"
        " sandbox='none' runs without one, and then programs can harm this machine"
    )
