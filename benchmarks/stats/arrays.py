"""Types of numpy arrays."""

from __future__ import annotations

from reasoner.extras import needed_by

with needed_by("reasoner.benchmarks.stats"):  # Every module of this room imports this one first.
    import numpy as np
    import scipy  # noqa: F401
    from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Bools = NDArray[np.bool_]
