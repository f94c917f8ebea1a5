"""Training of the embedded GPT: demonstrations, rollouts, verdicts."""

import os

# Some virtual machines advertise AMX tiles on which oneDNN dies of an illegal instruction; only
# Muon's small bfloat16 products would have used them.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
