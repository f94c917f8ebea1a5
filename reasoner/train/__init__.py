"""Training of the embedded GPT and of reward models."""

import os

# Some virtual machines advertise AMX tiles on which oneDNN dies with an illegal instruction; only
# Muon's small bfloat16 products would use them.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
