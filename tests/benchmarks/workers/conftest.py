"""One Ray cluster for the tests of a module."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT
from tests.needs import need

RAY = Path(sys.executable).with_name("ray")
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
CPUS = 8
"""CPUs that the cluster counts, whatever the machine has."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Start a cluster on this machine that outlives its drivers; return its address."""
    need("ray")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**QUIET, "PYTHONPATH": str(ROOT)}.items():
            patch.setenv(name, value)
        port = 20_000 + os.getpid() % 10_000
        options = [f"--port={port}", f"--num-cpus={CPUS}", "--include-dashboard=false"]
        memory = ["--object-store-memory=100000000", "--node-ip-address=127.0.0.1"]
        start = [str(RAY), "start", "--head", "--disable-usage-stats", "--block", *options, *memory]
        head = started(start)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            head.terminate()
            head.wait()
            assert head.stdout
            head.stdout.close()


def started(command: list[str]) -> subprocess.Popen[str]:
    """Return the process of a cluster that runs; on a busy machine, Ray does not always start in its half minute."""
    for _ in range(3):
        head = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert head.stdout
        if any("Ray runtime started" in line for line in head.stdout):
            return head
        head.wait()
        head.stdout.close()
    pytest.fail("Ray did not start")
