"""The modules of the paper figures, and the verdicts on their claims."""

from conftest import ROOT

from gan_jax.reproduction import load_figure

FIGURES = ROOT / "experiments" / "figures"


def load(name):
    """Returns the module of a figure."""
    return load_figure(FIGURES, name).module


def verdicts(claims):
    """Returns the verdicts on claims in their paper form, by name."""
    return {claim.name: claim.verdict(shortened=False) for claim in claims}


def verdict_list(claims):
    """Returns the verdicts on claims in their paper form, in order."""
    return [claim.verdict(shortened=False) for claim in claims]
