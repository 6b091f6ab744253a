"""The Dirac-GAN: nine objectives, three ways to play, and the rates at the equilibrium; the bilinear game beside it.

    python experiments/reproduce.py dirac_gan                    # 20 seconds

Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?" (2018), figures 2 and 3, lemmas 2.3 to 4.1,
with the settings of the authors' notebook (GAN_stability, notebooks/diracgan): theta = psi = 1, steps of 0.2, 500 of them;
simultaneous play, and alternating play with 1 and 5 discriminator steps.

To be met: the radius over the last 100 steps in all 24 cells without noise, to the digits given (consensus by the published
field, below); under 0.1 in the three with instance noise (5 seeds of 1000 draws a step, as published); eigenvalues and rates
those of the formulas; the paths the same where the gradients are those of gan_jax's losses.

The published consensus field has a factor 0.5 that the gradient of its regulariser |v|^2 / 2 does not have. With it the play
with 5 discriminator steps ends near 0; with the gradient itself psi goes off. Both are measured.
"""

import numpy as np
from _dirac_games import bilinear, field_of_losses, published_consensus, sampled

from gan_jax import theory
from gan_jax.reproduction import Claim, to_json_value
from gan_jax.theory import games

H, STEPS, CLIP, NOISE, DRAWS = 0.2, 500, 1.0, 0.7, 1000
PLAYS = {"simultaneous": 0, "alternating 1:1": 1, "alternating 1:5": 5}
# Name -> objective, weight, gamma of the eigenvalues' formula (None: it has none), f'(0).
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
NOISY = "instance noise"
CONSENSUS_AS_PUBLISHED = "consensus, published field"
# The least and greatest radius of the last 100 steps of 500 that the authors' notebook gives, for each play.
PUBLISHED = {
    "GAN": ((3.096, 3.097), (1.344, 1.422), (1.03, 2.42)),
    "NSGAN": ((0.626, 0.644), (0.274, 0.314), (0.126, 0.309)),
    "WGAN, clip 1": ((1.00, 1.27), (0.95, 1.05), (0.43, 1.01)),
    "WGAN-GP": ((1.62, 1.97), (1.14, 1.44), (0.68, 1.50)),
    "R1, γ = 0.3": ((2.6e-6, 3.6e-5), (2.3e-7, 5.2e-6), (0, 1e-12)),
    "R1, γ = 1": ((0, 3e-17), (0, 2e-13), (5e-12, 1e-9)),
    "NSGAN + R1, 0.3": ((2.2e-6, 2.7e-5), (1.5e-7, 3.3e-6), (0, 1e-12)),
    CONSENSUS_AS_PUBLISHED: ((2e-10, 2e-8), (1e-11, 2e-9), (0, 1e-4)),  # the last "~0"
}
NOISE_PUBLISHED = (0.022, 0.025, 0.033)  # greatest radii with instance noise
RATES = ("R1, γ = 0.3", "NSGAN + R1, 0.3")  # converge linearly along a spiral
BILINEAR = (
    "simultaneous",
    "alternating",
    "extragradient",
    "optimistic",
    "consensus, 2",
    "symplectic, 2",
)


def measure(smoke: bool) -> dict:
    steps, seeds = (60, 1) if smoke else (STEPS, 5)
    fields = {
        name: theory.dirac_field(objective, weight)
        for name, (objective, weight, *_) in CELLS.items()
    }
    fields[CONSENSUS_AS_PUBLISHED] = published_consensus
    paths, radii, deviations = {}, {}, {}
    for name, field in fields.items():
        clip = CLIP if "clip" in name else np.inf
        made = {
            play: games.descend(
                field, step_size=H, steps=steps, discriminator_steps=discriminator_steps, clip=clip
            )
            for play, discriminator_steps in PLAYS.items()
        }
        radii[name] = {play: [_ends(path)] for play, path in made.items()}
        if name == NOISY:
            drawn = {
                play: [
                    games.descend(
                        sampled(np.random.default_rng([seed, discriminator_steps]), NOISE, DRAWS),
                        step_size=H,
                        steps=steps,
                        discriminator_steps=discriminator_steps,
                    )
                    for seed in range(seeds)
                ]
                for play, discriminator_steps in PLAYS.items()
            }
            radii[name] = {play: [_ends(path) for path in each] for play, each in drawn.items()}
            radii["instance noise, expected field"] = {
                play: [_ends(path)] for play, path in made.items()
            }
            made = {play: each[0] for play, each in drawn.items()}
        elif name in CELLS:
            ours = field_of_losses(*CELLS[name][:2])
            deviations[name] = max(
                float(
                    np.abs(
                        games.descend(
                            ours,
                            step_size=H,
                            steps=steps,
                            discriminator_steps=discriminator_steps,
                            clip=clip,
                        )
                        - made[play]
                    ).max()
                )
                for play, discriminator_steps in PLAYS.items()
            )
        if name in CELLS:
            paths[name] = {play: to_json_value(path, 3) for play, path in made.items()}
    eigenvalues, rates = {}, {}
    for name, (_, _, gamma, slope) in CELLS.items():
        if gamma is None:
            continue
        jacobian = games.jacobian(fields[name], spacing=1e-5)
        pair, exact = np.linalg.eigvals(jacobian), theory.dirac_eigenvalues(gamma, slope)
        gap = np.abs(np.sort_complex(pair) - np.sort_complex(exact)).max()
        eigenvalues[name] = {"measured": _parts(pair), "formula": _parts(exact), "gap": float(gap)}
        exact_jacobian = np.array([[0.0, -slope], [slope, -gamma]])
        last = steps * 3 // 5
        rates[name] = {
            play: {
                "formula": games.rate(exact_jacobian, H, discriminator_steps),
                "measured": games.measured_rate(
                    games.descend(fields[name], step_size=H, steps=steps, discriminator_steps=discriminator_steps), last
                ) if name in RATES and discriminator_steps < 5 else None,
            }
            for play, discriminator_steps in PLAYS.items()
        }  # fmt: skip
    return {
        "paths": paths, "radii": radii, "deviations": deviations, "eigenvalues": eigenvalues, "rates": rates,
        "bilinear": bilinear(H, 40 if smoke else 200),
    }  # fmt: skip


def claims(numbers: dict) -> list[Claim]:
    found = []
    cells = numbers["radii"]
    for name, published in PUBLISHED.items():
        for play, ends in zip(PLAYS, published, strict=True):
            found += _cell(name, play, cells[name][play][0], ends)
    note = (
        "the published field halves one summand of the gradient of |v|^2 / 2; along the gradient itself psi, with 5 discriminator steps, "
        "goes off slowly and without end"
    )
    for play, ends in zip(PLAYS, PUBLISHED[CONSENSUS_AS_PUBLISHED], strict=True):
        last = play == "alternating 1:5"
        text = "~0" if last else f"{ends[0]:g} .. {ends[1]:g}"
        found.append(Claim(f"consensus, 1; {play}: radius, the gradient itself", tuple(cells["consensus, 1"][play][0]), text,
                           0, 1e-4, note * last))  # fmt: skip
    for play, published in zip(PLAYS, NOISE_PUBLISHED, strict=True):
        most = tuple(most for _, most in cells[NOISY][play])
        text = f"{published:g}, noisy; asked < 0.1"
        found.append(Claim(f"instance noise; {play}: greatest radius, 5 seeds", most, text, 0, 0.1))
    for name, deviation in numbers["deviations"].items():
        smooth = name == "WGAN-GP"
        note = (
            "the penalty's slope is sqrt(psi^2 + 1e-12) here: differentiable at 0" if smooth else ""
        )
        bound = 1e-4 if smooth else 1e-10
        label = f"{name}: paths by our losses, deviation"
        found.append(Claim(label, (deviation,), "the same path", 0, bound, note, smoke=True))
    for name, pair in numbers["eigenvalues"].items():
        # Where the two coincide, a perturbation of size e moves them by sqrt(e).
        bound = 1e-4 if name == "R1, γ = 1" else 1e-8
        real, imaginary = pair["formula"][0]
        text = f"{real + 0.0:.4g} ± {abs(imaginary):.4g}i"
        found.append(
            Claim(
                f"{name}: eigenvalues off the formula", (pair["gap"],), text, 0, bound, smoke=True
            )
        )
    for name in RATES:
        for play, pair in numbers["rates"][name].items():
            if pair["measured"] is not None:
                found.append(
                    Claim.close_to(
                        f"{name}; {play}: radius of a step over the last",
                        pair["measured"],
                        pair["formula"],
                        2e-3,
                    )
                )
    for name, game in numbers["bilinear"].items():
        if game["factor"] is not None:
            found.append(
                Claim.close_to(
                    f"bilinear, {name}: factor a step",
                    game["measured"],
                    game["factor"],
                    1e-9,
                    smoke=True,
                )
            )
    return found


def draw(numbers: dict):
    drawing, top, bottom = _canvas()
    axes = top.subplots(len(PLAYS), len(CELLS), squeeze=False)
    for row, play in enumerate(PLAYS):
        for column, name in enumerate(CELLS):
            ax, path = axes[row, column], np.array(numbers["paths"][name][play])
            extent = 1.12 * np.abs(path).max()
            ax.plot(*path.T, linewidth=0.5, color="tab:blue")
            ax.plot(*path[0], "o", markersize=3, color="tab:green")
            ax.plot(*path[-1], "s", markersize=3, color="tab:red")
            ax.plot(0, 0, "+", markersize=7, color="black")
            ax.set(xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal")
            ax.locator_params(nbins=3)
            ax.tick_params(labelsize=6, length=2)
            if not row:
                ax.set_title(name, fontsize=9)
            if not column:
                ax.set_ylabel(f"{play}\nψ", fontsize=8)
            if row == len(PLAYS) - 1:
                ax.set_xlabel("θ", fontsize=8)
    text = "Dirac-GAN, 500 steps of 0.2 (green: start, red: end, +: equilibrium; of instance noise seed 0 of 5)"
    top.suptitle(text, fontsize=11)
    left, right, far = bottom.subplots(1, 3)
    colours = {name: f"C{i}" for i, name in enumerate(CELLS)}
    for name in CELLS:
        radius = np.hypot(*np.array(numbers["paths"][name]["simultaneous"]).T)
        left.semilogy(
            np.maximum(radius, 1e-18),
            "--" if "+" in name else "-",
            color=colours[name],
            linewidth=1,
            label=name,
        )
    left.set(
        xlabel="step",
        ylabel="distance to the equilibrium",
        title="simultaneous play",
        ylim=(1e-18, 1e2),
    )
    left.legend(fontsize=6, loc="lower left", ncols=2)
    alike: dict[str, list[str]] = {}  # some share their eigenvalues, and would hide one another
    for name, pair in numbers["eigenvalues"].items():
        alike.setdefault(str(np.round(pair["formula"], 9).tolist()), []).append(name)
    for names in alike.values():
        pair = numbers["eigenvalues"][names[0]]
        measured = np.concatenate([numbers["eigenvalues"][name]["measured"] for name in names])
        right.plot(
            *np.array(pair["formula"]).T,
            "o",
            markersize=9,
            fillstyle="none",
            color=colours[names[0]],
        )
        right.plot(
            *measured.T, "x", markersize=5, color=colours[names[0]], label=" and ".join(names)
        )
    right.axvline(0, color="0.7", linewidth=0.8)
    right.set(
        xlabel="real part",
        ylabel="imaginary part",
        title="eigenvalues: formula (o), measured (x)",
        xlim=(-0.62, 0.5),
    )
    right.legend(fontsize=6, loc="center right")
    for style, (name, game) in zip(
        ("-", "-", "-", "--", "-", "--"), numbers["bilinear"].items(), strict=True
    ):
        far.semilogy(game["radius"], style, linewidth=1.2, label=name)
    far.set(xlabel="step", ylabel="distance to the equilibrium", title="bilinear game min max θψ, steps of 0.2",
            ylim=(1e-6, 1e3))  # fmt: skip
    far.legend(fontsize=7, loc="upper left", ncols=2)
    for ax in (left, right, far):
        ax.title.set_fontsize(9)
        ax.tick_params(labelsize=7)
    return drawing


def _canvas():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(15.5, 9.8), layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing, *drawing.subfigures(2, 1, height_ratios=(1.55, 1))


def _ends(path: np.ndarray) -> tuple[float, float]:
    radius = np.hypot(*path[-100:].T)
    return float(radius.min()), float(radius.max())


def _parts(values) -> list[list[float]]:
    return [
        [float(value.real) + 0.0, float(value.imag)]
        for value in np.sort_complex(np.asarray(values))
    ]


def _cell(name: str, play: str, found: list[float], ends: tuple[float, float]) -> list[Claim]:
    """The published ends of a cell, to the digits that they are given with."""
    text = f"{ends[0]:g} .. {ends[1]:g}"
    if not ends[0]:
        return [Claim(f"{name}; {play}: radius", tuple(found), f"< {ends[1]:g}", 0, 1.05 * ends[1])]
    if name == CONSENSUS_AS_PUBLISHED:  # given to one digit
        tolerances = tuple(10 ** np.floor(np.log10(end)) / 2 for end in ends)
    elif ends[1] > 0.1:
        tolerances = (6e-3 + 1e-3 * ends[0], 6e-3 + 1e-3 * ends[1])
    else:  # to two digits
        tolerances = (0.05 * ends[0], 0.05 * ends[1])
    return [
        Claim.close_to(f"{name}; {play}: {which} radius", value, end, tolerance, text)
        for which, value, end, tolerance in zip(
            ("least", "greatest"), found, ends, tolerances, strict=True
        )
    ]
