"""The system calls that a program in the sandbox is refused."""

from __future__ import annotations

import platform
import struct
from collections.abc import Iterable

from reasoner.errors import ConfigError

X86, ARM = "x86_64", "aarch64"
AUDIT = {X86: 0xC000003E, ARM: 0xC00000B7}
"""What the kernel calls each machine (linux/audit.h)."""

REFUSED = {
    # Reaching into another process: its memory, its open files.
    "ptrace": {X86: 101, ARM: 117},
    "process_vm_readv": {X86: 310, ARM: 270},
    "process_vm_writev": {X86: 311, ARM: 271},
    "pidfd_getfd": {X86: 438, ARM: 438},
    "kcmp": {X86: 312, ARM: 272},
    # Memory that belongs to no process, which no limit of a process bounds.
    "shmget": {X86: 29, ARM: 194},
    "msgget": {X86: 68, ARM: 186},
    "semget": {X86: 64, ARM: 190},
    "memfd_create": {X86: 319, ARM: 279},
    "memfd_secret": {X86: 447, ARM: 447},
    "add_key": {X86: 248, ARM: 217},
    "request_key": {X86: 249, ARM: 218},
    "keyctl": {X86: 250, ARM: 219},
    # Parts of the kernel in which holes were found again and again.
    "io_uring_setup": {X86: 425, ARM: 425},
    "bpf": {X86: 321, ARM: 280},
    "perf_event_open": {X86: 298, ARM: 241},
    "userfaultfd": {X86: 323, ARM: 282},
}

LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, MACHINE = 0, 4
ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000
FOREIGN = 0x40000000
"""From here on x86-64 numbers its calls anew (the x32 interface): a way around the list."""


def program(machine: str = platform.machine()) -> bytes:
    """A filter for `bwrap --seccomp`: the calls above fail with EPERM (seccomp(2)).

    Raises:
        ConfigError: nobody has written down this machine's system calls.
    """
    if machine not in AUDIT:
        raise ConfigError(
            f"the sandbox knows the system calls of {' and '.join(AUDIT)}, not of {machine!r};"
            " run there, or ask for sandbox='none', which does not protect this machine"
        )
    return b"".join(_instructions(AUDIT[machine], [call[machine] for call in REFUSED.values()]))


def _instructions(machine: int, refused: list[int]) -> Iterable[bytes]:
    yield _step(LOAD, MACHINE)
    yield _step(EQUAL, machine, 1, 0)
    yield _step(RETURN, KILL)
    yield _step(LOAD, NUMBER)
    yield _step(AT_LEAST, FOREIGN, len(refused) + 1, 0)
    for left, number in zip(range(len(refused), 0, -1), refused, strict=True):
        yield _step(EQUAL, number, left, 0)
    yield _step(RETURN, ALLOW)
    yield _step(RETURN, EPERM)


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """One `struct sock_filter`; a jump skips `yes` or `no` instructions."""
    return struct.pack("HBBI", code, yes, no, value)
