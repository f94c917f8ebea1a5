"""Test suites that every strategy and every verifier must pass, for authors of new ones.

They need the extra `test`.
"""

from reasoner.testing.strategies import Conformance, conformance
from reasoner.testing.verifiers import VerifierConformance, verifier_conformance

__all__ = ["Conformance", "VerifierConformance", "conformance", "verifier_conformance"]
