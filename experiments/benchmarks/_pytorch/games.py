"""One alternating step in PyTorch, eager or compiled.

Eager code uses ``backward()`` and fused Adam. Compiled code is ``torch.compile`` of the gradients
by ``torch.func``, forward and backward in one graph, because autograd cannot differentiate a
compiled graph twice. Every step takes its draws as arguments, so that a test can give both sides
the same ones.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

Tensors = dict[str, Tensor]
Score = Callable[[Tensor], Tensor]
Loss = Callable[..., Tensor]
"""``(score, real, fake, share) -> scalar``, or ``(score, fake) -> scalar`` for generators."""


def non_saturating(score: Score, real: Tensor, fake: Tensor, share: Tensor | None) -> Tensor:
    return F.softplus(-score(real)).mean() + F.softplus(score(fake)).mean()


def non_saturating_in_one_pass(
    score: Score, real: Tensor, fake: Tensor, share: Tensor | None
) -> Tensor:
    """`non_saturating` with one pass for both, for networks whose samples do not interact."""
    real_scores, fake_scores = score(torch.cat([real, fake])).chunk(2)
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()


def non_saturating_generator(score: Score, fake: Tensor) -> Tensor:
    return F.softplus(-score(fake)).mean()


def wasserstein_generator(score: Score, fake: Tensor) -> Tensor:
    return -score(fake).mean()


def wasserstein_gp(weight: float, compiled: bool = False) -> Loss:
    """The critic's loss; the inner gradient by autograd, or by ``torch.func`` if compiled."""

    def loss(score: Score, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
        share = share.reshape(-1, *[1] * (real.ndim - 1))
        between = share * real + (1 - share) * fake
        if compiled:
            slopes = torch.func.grad(lambda x: score(x).sum())(between)
        else:
            between.requires_grad_()
            (slopes,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
        norms = (slopes.flatten(1).square().sum(1) + 1e-12).sqrt()
        real_scores, fake_scores = score(torch.cat([real, fake])).chunk(2)
        penalty = (norms - 1).square().mean()
        return fake_scores.mean() - real_scores.mean() + weight * penalty

    return loss


class Game:
    """A pair of networks with their optimizers, and an alternating step on given draws."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        losses: tuple[Loss, Loss],
        adam: dict[str, Any],
        compiled: bool = False,
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.discriminator_loss, self.generator_loss = losses
        self.adam, self.compiled = adam, compiled
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), fused=True, **adam)
        self.discriminator_optimizer = torch.optim.Adam(
            discriminator.parameters(), fused=True, **adam
        )
        if compiled:
            self.discriminator_gradients = torch.compile(self.discriminator_gradients)
            self.generator_gradients = torch.compile(self.generator_gradients)

    def discriminator_gradients(
        self, params: Tensors, real: Tensor, fake: Tensor, share: Tensor | None
    ) -> Tensors:
        def loss(params: Tensors) -> Tensor:
            score = lambda x: functional_call(self.discriminator, params, (x,))
            return self.discriminator_loss(score, real, fake, share)

        return torch.func.grad(loss)(params)

    def generator_gradients(
        self, params: Tensors, discriminator_params: Tensors, latents: Tensor
    ) -> Tensors:
        score = lambda x: functional_call(self.discriminator, discriminator_params, (x,))

        def loss(params: Tensors) -> Tensor:
            return self.generator_loss(score, functional_call(self.generator, params, (latents,)))

        return torch.func.grad(loss)(params)

    def step(self, draws: Sequence[tuple[Tensor, Tensor, Tensor | None]], latents: Tensor) -> None:
        """Updates the discriminator on each of ``draws``, then the generator on ``latents``.

        Args:
          draws: real samples, latents and interpolation shares of each discriminator update.
          latents: those of the generator's update.
        """
        for real, discriminator_latents, share in draws:
            self.discriminator_step(real, discriminator_latents, share)
        self.generator_step(draws[-1][0], latents)

    def discriminator_step(self, real: Tensor, latents: Tensor, share: Tensor | None) -> None:
        with torch.no_grad():
            fake = self.generator(latents)
        network, optimizer = self.discriminator, self.discriminator_optimizer
        if self.compiled:
            gradients = self.discriminator_gradients(detached(network), real, fake, share)
            self.apply_gradients(network, optimizer, gradients)
            return
        optimizer.zero_grad()
        self.discriminator_loss(network, real, fake, share).backward()
        optimizer.step()

    def generator_step(self, real: Tensor, latents: Tensor) -> None:
        network, optimizer = self.generator, self.generator_optimizer
        if self.compiled:
            gradients = self.generator_gradients(
                detached(network), detached(self.discriminator), latents
            )
            self.apply_gradients(network, optimizer, gradients)
            return
        optimizer.zero_grad()
        self.discriminator.requires_grad_(False)  # its gradients are not needed here
        self.generator_loss(self.discriminator, network(latents)).backward()
        self.discriminator.requires_grad_(True)
        optimizer.step()

    def apply_gradients(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, gradients: Tensors
    ) -> None:
        for name, parameter in network.named_parameters():
            parameter.grad = gradients[name]
        optimizer.step()


class Unrolled(Game):
    """A minimax game whose generator looks ahead, and learns through the look-ahead.

    The generator's loss is taken against the discriminator after ``look_ahead`` updates of Adam.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        look_ahead: int,
        adam: dict[str, Any],
        compiled: bool = False,
    ) -> None:
        self.look_ahead = look_ahead
        losses = (non_saturating_in_one_pass, non_saturating_in_one_pass)
        super().__init__(generator, discriminator, losses, adam, compiled)

    def generator_step(self, real: Tensor, latents: Tensor) -> None:
        adam_states = [
            self.discriminator_optimizer.state[p] for p in self.discriminator.parameters()
        ]
        first_moments = [state["exp_avg"] for state in adam_states]
        second_moments = [state["exp_avg_sq"] for state in adam_states]
        count = adam_states[0]["step"]
        if self.compiled:
            gradients = self.generator_gradients(
                detached(self.generator),
                detached(self.discriminator),
                latents,
                real,
                first_moments,
                second_moments,
                count,
            )
            self.apply_gradients(self.generator, self.generator_optimizer, gradients)
            return
        self.generator_optimizer.zero_grad()
        params = {
            name: parameter.detach().requires_grad_()
            for name, parameter in self.discriminator.named_parameters()
        }
        fake = self.generator(latents)
        loss = self.unrolled_loss(
            params, fake, real, first_moments, second_moments, float(count), autograd=True
        )
        loss.backward(inputs=list(self.generator.parameters()))
        self.generator_optimizer.step()

    def generator_gradients(
        self, params: Tensors, discriminator_params: Tensors, latents: Tensor, *adam_state: Any
    ) -> Tensors:
        def loss(params: Tensors) -> Tensor:
            fake = functional_call(self.generator, params, (latents,))
            return self.unrolled_loss(discriminator_params, fake, *adam_state)

        return torch.func.grad(loss)(params)

    def unrolled_loss(
        self,
        params: Tensors,
        fake: Tensor,
        real: Tensor,
        first_moments: list[Tensor],
        second_moments: list[Tensor],
        count: Any,
        autograd: bool = False,
    ) -> Tensor:
        """The generator's loss after functional updates of the discriminator's ``params`` by Adam.

        Args:
          params: the discriminator's.
          fake: generated samples.
          real: real samples.
          first_moments: of Adam.
          second_moments: of Adam.
          count: updates that Adam has made.
          autograd: whether to differentiate by ``torch.autograd``, or by ``torch.func``.
        """
        (b1, b2), rate, eps = self.adam["betas"], self.adam["lr"], self.adam.get("eps", 1e-8)
        m, v = first_moments, second_moments

        def loss_at(params: Tensors) -> Tensor:
            score = lambda x: functional_call(self.discriminator, params, (x,))
            return non_saturating_in_one_pass(score, real, fake, None)

        for k in range(1, self.look_ahead + 1):
            if autograd:
                gradients = torch.autograd.grad(
                    loss_at(params), list(params.values()), create_graph=True
                )
            else:
                gradients = list(torch.func.grad(loss_at)(params).values())
            m = [b1 * a + (1 - b1) * g for a, g in zip(m, gradients, strict=True)]
            v = [b2 * a + (1 - b2) * g * g for a, g in zip(v, gradients, strict=True)]
            c1, c2 = 1 - b1 ** (count + k), 1 - b2 ** (count + k)
            # 1e-14 under the root: its derivative is infinite at 0, which dead units reach.
            updated = [
                p - rate * (a / c1) / ((b / c2 + 1e-14).sqrt() + eps)
                for p, a, b in zip(params.values(), m, v, strict=True)
            ]
            params = dict(zip(params, updated, strict=True))
        return -loss_at(params)


def detached(network: nn.Module) -> Tensors:
    return {name: parameter.detach() for name, parameter in network.named_parameters()}
