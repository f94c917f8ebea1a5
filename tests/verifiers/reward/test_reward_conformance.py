"""Reward models keep to what every verifier must keep to, computed by Transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoner.testing import verifier_conformance
from reasoner.verifiers.reward.orm import ORM
from reasoner.verifiers.reward.reward_model import RewardModel
from reasoner.verifiers.reward.token_classifier import TokenClassifier
from tests.needs import need

need("torch")
tiny: Any = pytest.importorskip("tests.verifiers.reward.tiny")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

FOLDERS = dict[str, Path]()
HELD = list[RewardModel]()
"""In use all the time, so that each new verifier finds its model loaded."""


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A model of each kind."""
    for build in (tiny.token_classifier, tiny.sequence_classifier):
        FOLDERS[build.__name__] = folder = tmp_path_factory.mktemp(build.__name__)
        build(folder)
    HELD.extend([process(), outcome()])
    assert all(verifier.reader for verifier in HELD)


def process() -> TokenClassifier:
    return TokenClassifier(model=str(FOLDERS["token_classifier"]), engine="transformers")


def outcome() -> ORM:
    return ORM(model=str(FOLDERS["sequence_classifier"]), engine="transformers")


TestRewardModels = verifier_conformance(process, outcome, tolerance=1e-3)


def test_equal_settings_share_what_is_loaded() -> None:
    assert process().reader is HELD[0].reader
    assert outcome().reader is not HELD[0].reader
