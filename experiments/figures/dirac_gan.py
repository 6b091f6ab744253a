"""The Dirac-GAN: nine objectives, three update rules, rates at the equilibrium; the bilinear game.

    python experiments/reproduce.py dirac_gan                    # 20 seconds

Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?" (2018), figures 2
and 3, lemmas 2.3 to 4.1, with the settings of the authors' notebook (GAN_stability,
notebooks/diracgan): theta = psi = 1, 500 steps of size 0.2; simultaneous updates, and alternating
updates with 1 and 5 discriminator steps.

To be met: the radius over the last 100 steps in all 24 cells without noise, to half a unit of the
last digit given (consensus by the published field, below); under 0.1 in the three cells with
instance noise (5 seeds of 1000 draws per step, as published); eigenvalues and rates as in the
formulas; the same paths if the gradients are those of gan_jax's losses.

The published consensus field has a factor 0.5 that the gradient of its regulariser |v|^2 / 2 does
not have. With this factor, alternating updates with 5 discriminator steps end near 0; along the
gradient itself psi diverges. Both are measured.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from _dirac_games import bilinear, field_of_losses, noisy_field, published_consensus

from gan_jax import theory
from gan_jax.reproduction import Claim, page, to_json_value
from gan_jax.theory import games

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEP_SIZE, STEPS, CLIP, NOISE, DRAWS = 0.2, 500, 1.0, 0.7, 1000
UPDATE_RULES = {"simultaneous": 0, "alternating 1:1": 1, "alternating 1:5": 5}
"""Discriminator steps of each rule; 0 is simultaneous."""

CELLS = {
    "GAN": ("minimax", 0.0, 0.0, 0.5),
    "NSGAN": ("non_saturating", 0.0, 0.0, 0.5),
    "WGAN, clip 1": ("wasserstein", 0.0, 0.0, 1.0),
    "WGAN-GP": ("gradient_penalty", 0.7, None, 1.0),
    "instance noise": ("instance_noise", NOISE, NOISE**2 / 2, 0.5),
    "R1, γ = 0.3": ("minimax", 0.3, 0.3, 0.5),
    "R1, γ = 1": ("minimax", 1.0, 1.0, 0.5),
    "NSGAN + R1, 0.3": ("non_saturating", 0.3, 0.3, 0.5),
    "consensus, 1": ("consensus", 1.0, None, 0.5),
}
"""Objective, weight, gamma in the formula of the eigenvalues (None: there is no formula), f'(0)."""

NOISY = "instance noise"
EXPECTED_NOISE = "instance noise, expected field"
CONSENSUS_AS_PUBLISHED = "consensus, published field"

_PUBLISHED = {
    "GAN": (("3.096", "3.097"), ("1.344", "1.422"), ("1.03", "2.42")),
    "NSGAN": (("0.626", "0.644"), ("0.274", "0.314"), ("0.126", "0.309")),
    "WGAN, clip 1": (("1.00", "1.27"), ("0.95", "1.05"), ("0.43", "1.01")),
    "WGAN-GP": (("1.62", "1.97"), ("1.14", "1.44"), ("0.68", "1.50")),
    "R1, γ = 0.3": (("2.6e-6", "3.6e-5"), ("2.3e-7", "5.2e-6"), ("0", "1e-12")),
    "R1, γ = 1": (("0", "3e-17"), ("0", "2e-13"), ("5e-12", "1e-9")),
    "NSGAN + R1, 0.3": (("2.2e-6", "2.7e-5"), ("1.5e-7", "3.3e-6"), ("0", "1e-12")),
    CONSENSUS_AS_PUBLISHED: (("2e-10", "2e-8"), ("1e-11", "2e-9"), ("0", "1e-4")),
}
"""Least and greatest radius of the last 100 steps in the authors' notebook, for each rule.

If the least is 0, only a bound is given. The last bound is ours, for "~0".
"""

_NOISE_PUBLISHED = (0.022, 0.025, 0.033)
"""Greatest radii with instance noise."""

RATES = ("R1, γ = 0.3", "NSGAN + R1, 0.3")
"""The cells that converge linearly along a spiral."""

_SQUARE = 3.4
"""Half the width of the square of theta and psi that is shown."""

BILINEAR = (
    "simultaneous",
    "alternating",
    "extragradient",
    "optimistic",
    "consensus, 2",
    "symplectic, 2",
)

Numbers = Mapping[str, Any]
Paths = dict[str, np.ndarray]
"""Positions ``[1 + steps, 2]`` by update rule."""


# ------------------------------------------------------------------------------------- measurement


def measure(smoke: bool) -> dict[str, Any]:
    """Measures paths, radii, eigenvalues and rates, and the bilinear game."""
    steps, seeds = (60, 1) if smoke else (STEPS, 5)
    fields = {
        name: theory.dirac_field(objective, weight)
        for name, (objective, weight, *_) in CELLS.items()
    }
    fields[CONSENSUS_AS_PUBLISHED] = published_consensus
    paths, radii, deviations = {}, {}, {}
    for name, field in fields.items():
        clip = CLIP if "clip" in name else np.inf
        cell = _paths(dict.fromkeys(UPDATE_RULES, field), steps, clip)
        radii[name] = {rule: [_radius_range(path)] for rule, path in cell.items()}
        if name == NOISY:
            radii[EXPECTED_NOISE] = radii[name]
            runs = [_noisy_paths(seed, steps) for seed in range(seeds)]
            radii[name] = {rule: [_radius_range(run[rule]) for run in runs] for rule in cell}
            cell = runs[0]
        elif name in CELLS:
            objective, weight, *_ = CELLS[name]
            field_by_losses = field_of_losses(objective, weight)
            ours = _paths(dict.fromkeys(UPDATE_RULES, field_by_losses), steps, clip)
            deviations[name] = max(float(np.abs(ours[rule] - cell[rule]).max()) for rule in cell)
        if name in CELLS:
            paths[name] = {rule: to_json_value(path, 3) for rule, path in cell.items()}
    with_formula = [name for name, (_, _, gamma, _) in CELLS.items() if gamma is not None]
    return {
        "paths": paths,
        "radii": radii,
        "deviations": deviations,
        "eigenvalues": {name: _eigenvalues(name, fields[name]) for name in with_formula},
        "rates": {name: _rates(name, fields[name], steps) for name in with_formula},
        "bilinear": bilinear(STEP_SIZE, 40 if smoke else 200),
    }


def _paths(fields: Mapping[str, games.Field], steps: int, clip: float = np.inf) -> Paths:
    """Returns the path of each update rule along its field."""
    return {
        rule: games.descend(
            field,
            step_size=STEP_SIZE,
            steps=steps,
            discriminator_steps=UPDATE_RULES[rule],
            clip=clip,
        )
        for rule, field in fields.items()
    }


def _noisy_paths(seed: int, steps: int) -> Paths:
    """Returns the paths with instance noise, which is drawn by the seed and the rule."""
    fields = {
        rule: noisy_field(np.random.default_rng([seed, discriminator_steps]), NOISE, DRAWS)
        for rule, discriminator_steps in UPDATE_RULES.items()
    }
    return _paths(fields, steps)


def _eigenvalues(name: str, field: games.Field) -> dict[str, Any]:
    """Compares the eigenvalues of a field's Jacobian, by differences, with the formula."""
    _, _, gamma, slope = CELLS[name]
    measured = np.linalg.eigvals(games.jacobian(field, spacing=1e-5))
    exact = theory.dirac_eigenvalues(gamma, slope)
    gap = np.abs(np.sort_complex(measured) - np.sort_complex(exact)).max()
    return {"measured": _parts(measured), "formula": _parts(exact), "gap": float(gap)}


def _rates(name: str, field: games.Field, steps: int) -> dict[str, Any]:
    """Compares the factor by which a step multiplies the radius with the formula."""
    _, _, gamma, slope = CELLS[name]
    jacobian = np.array([[0.0, -slope], [slope, -gamma]])
    rates = {}
    for rule, discriminator_steps in UPDATE_RULES.items():
        measured = None
        if name in RATES and discriminator_steps < 5:
            path = games.descend(
                field, step_size=STEP_SIZE, steps=steps, discriminator_steps=discriminator_steps
            )
            measured = games.measured_rate(path, steps * 3 // 5)
        formula = games.rate(jacobian, STEP_SIZE, discriminator_steps)
        rates[rule] = {"formula": formula, "measured": measured}
    return rates


def _radius_range(path: np.ndarray) -> tuple[float, float]:
    """Returns the least and the greatest radius of the last 100 steps."""
    radius = np.hypot(*path[-100:].T)
    return float(radius.min()), float(radius.max())


def _parts(values: Any) -> list[list[float]]:
    """Returns real and imaginary parts, sorted."""
    return [
        [float(value.real) + 0.0, float(value.imag)]
        for value in np.sort_complex(np.asarray(values))
    ]


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about radii, paths, eigenvalues, rates and the bilinear game."""
    return [
        *_radius_claims(numbers["radii"]),
        *_path_claims(numbers["deviations"]),
        *_eigenvalue_claims(numbers["eigenvalues"]),
        *_rate_claims(numbers["rates"]),
        *_bilinear_claims(numbers["bilinear"]),
    ]


def _radius_claims(radii: Numbers) -> list[Claim]:
    claims = []
    for name, published in _PUBLISHED.items():
        for rule, ends in zip(UPDATE_RULES, published, strict=True):
            claims += _cell_claims(name, rule, radii[name][rule][0], ends)
    for rule, ends in zip(UPDATE_RULES, _PUBLISHED[CONSENSUS_AS_PUBLISHED], strict=True):
        diverges = rule == "alternating 1:5"
        note = (
            "the published field halves one summand of the gradient of |v|^2 / 2; along the "
            "gradient itself psi diverges slowly with 5 discriminator steps"
        )
        claims.append(
            Claim(
                f"consensus, 1; {rule}: radius, the gradient itself",
                measured=tuple(radii["consensus, 1"][rule][0]),
                published="~0" if diverges else f"asked < 1e-4; {ends[0]} .. {ends[1]} halved",
                low=0,
                high=1e-4,
                note=note if diverges else "",
                kind="exact",
            )
        )
    for rule, published_radius in zip(UPDATE_RULES, _NOISE_PUBLISHED, strict=True):
        claims.append(
            Claim(
                f"instance noise; {rule}: greatest radius, 5 seeds",
                measured=tuple(greatest for _, greatest in radii[NOISY][rule]),
                published=f"{published_radius:g}, noisy; asked < 0.1",
                low=0,
                high=0.1,
                kind="exact",
            )
        )
    return claims


def _cell_claims(name: str, rule: str, measured: list[float], ends: tuple[str, str]) -> list[Claim]:
    """Returns the claims about a cell's published radii, to the digits that they are given with."""
    least, greatest = ends
    if least == "0":
        return [
            Claim(
                f"{name}; {rule}: radius",
                measured=tuple(measured),
                published=f"< {greatest}",
                low=0,
                high=float(greatest),
                kind="published",
            )
        ]
    return [
        Claim.rounds_to(f"{name}; {rule}: {which} radius", value, end)
        for which, value, end in zip(("least", "greatest"), measured, ends, strict=True)
    ]


def _path_claims(deviations: Numbers) -> list[Claim]:
    claims = []
    for name, deviation in deviations.items():
        smoothed = name == "WGAN-GP"
        note = "the penalty's slope is sqrt(psi^2 + 1e-12) here: differentiable at 0"
        claims.append(
            Claim(
                f"{name}: paths by gan_jax's losses, deviation",
                measured=(deviation,),
                published="the same path",
                low=0,
                high=1e-4 if smoothed else 1e-10,
                note=note if smoothed else "",
                smoke=True,
                kind="exact",
            )
        )
    return claims


def _eigenvalue_claims(eigenvalues: Numbers) -> list[Claim]:
    claims = []
    for name, pair in eigenvalues.items():
        real, imaginary = pair["formula"][0]
        coincide = name == "R1, γ = 1"  # then a perturbation of size e moves them by sqrt(e)
        claims.append(
            Claim(
                f"{name}: eigenvalues, deviation from the formula",
                measured=(pair["gap"],),
                published=f"{real + 0.0:.4g} ± {abs(imaginary):.4g}i",
                low=0,
                high=1e-4 if coincide else 1e-8,
                smoke=True,
                kind="exact",
            )
        )
    return claims


def _rate_claims(rates: Numbers) -> list[Claim]:
    return [
        Claim.close_to(
            f"{name}; {rule}: factor of the radius per step",
            rate["measured"],
            rate["formula"],
            tolerance=2e-3,
            kind="exact",
        )
        for name in RATES
        for rule, rate in rates[name].items()
        if rate["measured"] is not None
    ]


def _bilinear_claims(games: Numbers) -> list[Claim]:
    return [
        Claim.close_to(
            f"bilinear, {name}: factor per step",
            game["measured"],
            game["factor"],
            tolerance=1e-9,
            smoke=True,
            kind="exact",
        )
        for name, game in games.items()
        if game["factor"] is not None
    ]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws the fields and paths of all cells, radii, eigenvalues and the bilinear game."""
    figure = page.canvas(7.0)
    top, bottom = figure.subfigures(2, 1, height_ratios=(2.7, 4.3))
    axes = top.subplots(len(UPDATE_RULES), len(CELLS), sharex=True, sharey=True)
    for column, (name, (objective, weight, *_)) in enumerate(CELLS.items()):
        field = theory.dirac_field(objective, weight)
        title = name.replace(" ", "\n", 1).replace("consensus", "con-\nsensus")
        axes[0, column].set_title(title, loc="center", fontsize=page.SMALL)
        axes[-1, column].set_xlabel("θ")
        for ax, rule in zip(axes[:, column], UPDATE_RULES, strict=True):
            _draw_field(ax, field)
            _draw_path(ax, np.array(numbers["paths"][name][rule]))
    for ax, rule in zip(axes[:, 0], UPDATE_RULES, strict=True):
        ax.set_ylabel(rule.replace(" ", "\n") + "\nψ")
    left, middle, right = bottom.subplots(1, 3)
    _draw_radii(left, numbers["paths"])
    _draw_eigenvalues(middle, numbers["eigenvalues"])
    _draw_bilinear(right, numbers["bilinear"])
    axes[0, 0].set_title("(a) GAN\n", loc="center", fontsize=page.SMALL)
    top.supxlabel("dot: start; square: end, if inside; +: equilibrium", fontsize=page.SMALL)
    for letter, ax in zip("bcd", (left, middle, right), strict=True):
        ax.set_title(f"({letter}) {ax.get_title(loc='left')}")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), labelspacing=0.15)
    return figure


def _draw_field(ax: "Axes", field: games.Field) -> None:
    """Draws the directions of descent: of theta across, and of psi up."""
    ticks = np.linspace(-_SQUARE, _SQUARE, 7)[1:-1]
    points = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
    steps = np.array([field(theta, psi) for theta, psi in points])
    lengths = np.maximum(np.hypot(*steps.T), 1e-12)[:, None]
    ax.quiver(*points.T, *(steps / lengths).T, color="0.7", scale=7, width=0.02, pivot="middle")


def _draw_path(ax: "Axes", path: np.ndarray) -> None:
    """Draws a path, as far as it is inside of the square that all cells share."""
    ax.plot(*path.T, linewidth=0.5, color=page.BLUE)
    ax.plot(*path[0], "o", color=page.ORANGE)
    ax.plot(0, 0, "+", markersize=6, color=page.BLACK)
    ax.plot(*path[-1], "s", markersize=3.5, color=page.VERMILLION, fillstyle="none")
    limits = (-_SQUARE, _SQUARE)
    ax.set(xlim=limits, ylim=limits, aspect="equal", xticks=(-2, 0, 2), yticks=(-2, 0, 2))


def _draw_radii(ax: "Axes", paths: Numbers) -> None:
    for i, name in enumerate(CELLS):
        radius = np.hypot(*np.array(paths[name]["simultaneous"]).T)
        style = "--" if "+" in name or i >= len(page.CYCLE) else "-"
        ax.semilogy(np.maximum(radius, 1e-18), style, color=f"C{i}", linewidth=1, label=name)
    ax.set(xlabel="step", ylabel="distance to the equilibrium", ylim=(1e-18, 1e2))
    ax.set_title("simultaneous\nupdates")


def _draw_eigenvalues(ax: "Axes", eigenvalues: Numbers) -> None:
    colours = {name: f"C{i}" for i, name in enumerate(CELLS)}
    groups: dict[str, list[str]] = {}  # cells with the same eigenvalues would hide one another
    for name, pair in eigenvalues.items():
        groups.setdefault(str(np.round(pair["formula"], 9).tolist()), []).append(name)
    for names in groups.values():
        colour = colours[names[0]]
        formula = np.array(eigenvalues[names[0]]["formula"])
        measured = np.concatenate([eigenvalues[name]["measured"] for name in names])
        ax.plot(*formula.T, "o", markersize=6, fillstyle="none", color=colour)
        ax.plot(*measured.T, "x", markersize=4, color=colour, label=", ".join(names))
    ax.axvline(0, color="0.7", linewidth=0.8)
    ax.set(xlabel="real part", ylabel="imaginary part")
    ax.set_title("eigenvalues:\no formula, x measured")


def _draw_bilinear(ax: "Axes", games: Numbers) -> None:
    for style, (name, game) in zip(("-", "-", "-", "--", "-", "--"), games.items(), strict=True):
        ax.semilogy(game["radius"], style, linewidth=1.2, label=name)
    ax.set(xlabel="step", ylabel="distance to the equilibrium", ylim=(1e-6, 1e3))
    ax.set_title("bilinear game θψ,\nsteps of 0.2")
