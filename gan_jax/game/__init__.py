"""The two-player game: objectives as sums of named terms, and one optimizer step of one player.

Everything here is a pure function of arrays. Nothing depends on files, devices, configs or a
network library.
"""

from gan_jax.game.adversarial_objective import SIDES, Side, adversarial
from gan_jax.game.batches import (
    Array,
    Batch,
    Metrics,
    Params,
    PRNGKey,
    check_batch,
    check_params,
    conditions,
    per_sample,
    sample_indices,
    without_fakes,
)
from gan_jax.game.gradients import Pair, joint_gradients
from gan_jax.game.networks import (
    ClassifyFn,
    FeaturesFn,
    GenerateFn,
    InitFn,
    LatentFn,
    Networks,
    OutputsFn,
    ScoreFn,
    StandingFn,
    call,
    draw_latents,
)
from gan_jax.game.players import (
    Context,
    FakesFn,
    LossFn,
    Memory,
    Objective,
    Player,
    as_context,
    check_objective,
    descend,
    initial_memory,
    update,
)
from gan_jax.game.rounds import show_scores
from gan_jax.game.terms import Round, Term, TermFn, Terms

__all__ = [
    "Array",
    "Batch",
    "ClassifyFn",
    "Context",
    "FakesFn",
    "FeaturesFn",
    "GenerateFn",
    "InitFn",
    "LatentFn",
    "LossFn",
    "Memory",
    "Metrics",
    "Networks",
    "Objective",
    "OutputsFn",
    "PRNGKey",
    "Pair",
    "Params",
    "Player",
    "Round",
    "SIDES",
    "ScoreFn",
    "Side",
    "StandingFn",
    "Term",
    "TermFn",
    "Terms",
    "adversarial",
    "as_context",
    "call",
    "check_batch",
    "check_params",
    "check_objective",
    "conditions",
    "descend",
    "draw_latents",
    "initial_memory",
    "joint_gradients",
    "per_sample",
    "sample_indices",
    "show_scores",
    "update",
    "without_fakes",
]
