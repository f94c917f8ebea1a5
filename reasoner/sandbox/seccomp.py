"""The system-call filter of the sandbox."""

from __future__ import annotations

import platform
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from reasoner.errors import ConfigError

X86, ARM = "x86_64", "aarch64"
AUDIT = {X86: 0xC000003E, ARM: 0xC00000B7}
"""The kernel's number for each machine (linux/audit.h)."""

REFUSED = {
    # Reaching into another process: its memory, its open files.
    "ptrace": {X86: 101, ARM: 117},
    "process_vm_readv": {X86: 310, ARM: 270},
    "process_vm_writev": {X86: 311, ARM: 271},
    "pidfd_getfd": {X86: 438, ARM: 438},
    "kcmp": {X86: 312, ARM: 272},
    # Sockets of every family: internet, virtual machine (AF_VSOCK), kernel.
    "socket": {X86: 41, ARM: 198},
    # Memory outside any process, which process limits do not bound.
    "shmget": {X86: 29, ARM: 194},
    "msgget": {X86: 68, ARM: 186},
    "semget": {X86: 64, ARM: 190},
    "mq_open": {X86: 240, ARM: 180},
    "memfd_create": {X86: 319, ARM: 279},
    "memfd_secret": {X86: 447, ARM: 447},
    "add_key": {X86: 248, ARM: 217},
    "request_key": {X86: 249, ARM: 218},
    "keyctl": {X86: 250, ARM: 219},
    "inotify_add_watch": {X86: 254, ARM: 27},
    "fanotify_init": {X86: 300, ARM: 262},
    # Larger socket buffers and descriptors queued in them; pages queued in a pipe.
    "setsockopt": {X86: 54, ARM: 208},
    "sendmsg": {X86: 46, ARM: 211},
    "sendmmsg": {X86: 307, ARM: 269},
    "vmsplice": {X86: 278, ARM: 75},
    # Parts of the kernel with a history of vulnerabilities.
    "io_setup": {X86: 206, ARM: 0},
    "io_uring_setup": {X86: 425, ARM: 425},
    "bpf": {X86: 321, ARM: 280},
    "perf_event_open": {X86: 298, ARM: 241},
    "userfaultfd": {X86: 323, ARM: 282},
}

LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16
ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000
FOREIGN = 0x40000000
"""The first call number of the x32 interface of x86-64, which would bypass the list."""


@dataclass(frozen=True, slots=True)
class ArgumentRule:
    """The action for a call if one of its arguments equals a value, and otherwise."""

    call: dict[str, int]
    argument: int
    value: int
    equal: int
    other: int


RULES = (
    # Python's event loop wakes itself over a pair of AF_UNIX sockets.
    ArgumentRule({X86: 53, ARM: 199}, 0, socket.AF_UNIX, ALLOW, EPERM),  # socketpair
    # Pipes hold 64 KiB each.
    ArgumentRule({X86: 72, ARM: 25}, 1, 1031, EPERM, ALLOW),  # fcntl, F_SETPIPE_SZ
)
"""Calls whose action depends on an argument."""


def program(machine: str = platform.machine()) -> bytes:
    """Compile a filter for `bwrap --seccomp`; refused calls fail with EPERM (seccomp(2)).

    Raises:
        ConfigError: the system calls of this machine are not listed.
    """
    if machine not in AUDIT:
        raise ConfigError(
            f"the sandbox knows the system calls of {' and '.join(AUDIT)}, not of {machine!r};"
            " run there, or ask for sandbox='none', which does not protect this machine"
        )
    return b"".join(_instructions(machine))


def _instructions(machine: str) -> Iterable[bytes]:
    yield _step(LOAD, MACHINE)
    yield _step(EQUAL, AUDIT[machine], 1, 0)
    yield _step(RETURN, KILL)
    yield _step(LOAD, NUMBER)
    yield _step(AT_LEAST, FOREIGN, 0, 1)
    yield _step(RETURN, EPERM)
    for call in REFUSED.values():
        yield _step(EQUAL, call[machine], 0, 1)
        yield _step(RETURN, EPERM)
    for rule in RULES:
        yield _step(EQUAL, rule.call[machine], 0, 4)
        # The low half of 64 bits: the kernel reads these arguments as 32 bits.
        yield _step(LOAD, ARGUMENTS + 8 * rule.argument)
        yield _step(EQUAL, rule.value, 0, 1)
        yield _step(RETURN, rule.equal)
        yield _step(RETURN, rule.other)
    yield _step(RETURN, ALLOW)


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """Encode one `struct sock_filter`; a jump skips `yes` or `no` instructions."""
    return struct.pack("HBBI", code, yes, no, value)
