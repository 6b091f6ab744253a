"""One step of alternating play in PyTorch, eager or compiled.

Eager code goes through ``backward()`` and fused Adam. Compiled code is ``torch.compile`` of the gradients by ``torch.func``,
forward and backward in one graph, as its autograd cannot differentiate a compiled graph twice. Every step takes its draws as
arguments, so that a test can give both sides the same ones.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

Tensors = dict[str, Tensor]
Loss = Callable[..., Tensor]
"""``(score, real, fake, share) -> scalar`` of the discriminator; ``(score, fake) -> scalar`` of the generator."""


def non_saturating(score: Callable, real: Tensor, fake: Tensor, share: Tensor | None) -> Tensor:
    return F.softplus(-score(real)).mean() + F.softplus(score(fake)).mean()


def together(score: Callable, real: Tensor, fake: Tensor, share: Tensor | None) -> Tensor:
    """`non_saturating` with one pass for both: no batch statistic couples them in these networks."""
    of_real, of_fake = score(torch.cat([real, fake])).chunk(2)
    return F.softplus(-of_real).mean() + F.softplus(of_fake).mean()


def non_saturating_generator(score: Callable, fake: Tensor) -> Tensor:
    return F.softplus(-score(fake)).mean()


def wasserstein_generator(score: Callable, fake: Tensor) -> Tensor:
    return -score(fake).mean()


def wasserstein_gp(weight: float, compiled: bool = False) -> Loss:
    """The critic's loss; the inner gradient by autograd, or by ``torch.func`` where it is to be compiled."""

    def loss(score: Callable, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
        share = share.reshape(-1, *[1] * (real.ndim - 1))
        between = share * real + (1 - share) * fake
        if compiled:
            slopes = torch.func.grad(lambda x: score(x).sum())(between)
        else:
            between.requires_grad_()
            (slopes,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
        lengths = (slopes.flatten(1).square().sum(1) + 1e-12).sqrt()
        of_real, of_fake = score(torch.cat([real, fake])).chunk(2)
        return of_fake.mean() - of_real.mean() + weight * (lengths - 1).square().mean()

    return loss


class Game:
    """A pair of networks, their optimizers, and one step of alternating play on given draws."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        losses: tuple[Loss, Loss],
        adam: dict[str, Any],
        compiled: bool = False,
    ) -> None:
        self.g, self.d = generator, discriminator
        self.losses, self.compiled, self.adam = losses, compiled, adam
        self.g_opt, self.d_opt = (
            torch.optim.Adam(m.parameters(), fused=True, **adam) for m in (generator, discriminator)
        )
        self.gradients = (
            [torch.compile(f) for f in (self.d_gradients, self.g_gradients)] if compiled else []
        )

    def d_gradients(
        self, params: Tensors, real: Tensor, fake: Tensor, share: Tensor | None
    ) -> Tensors:
        score = lambda p: lambda x: functional_call(self.d, p, (x,))
        return torch.func.grad(lambda p: self.losses[0](score(p), real, fake, share))(params)

    def g_gradients(self, params: Tensors, fixed: Tensors, z: Tensor) -> Tensors:
        score = lambda x: functional_call(self.d, fixed, (x,))
        return torch.func.grad(lambda p: self.losses[1](score, functional_call(self.g, p, (z,))))(
            params
        )

    def step(self, draws: Sequence[tuple[Tensor, Tensor, Tensor | None]], z: Tensor) -> None:
        """A turn of the discriminator on each of ``draws``, (real, latents, share), then the generator on ``z``."""
        for real, latents, share in draws:
            self.turn(real, latents, share)
        self.generator_step(draws[-1][0], z)

    def turn(self, real: Tensor, latents: Tensor, share: Tensor | None) -> None:
        with torch.no_grad():
            fake = self.g(latents)
        if self.compiled:
            self.take(self.d, self.d_opt, self.gradients[0](detached(self.d), real, fake, share))
            return
        self.d_opt.zero_grad()
        self.losses[0](self.d, real, fake, share).backward()
        self.d_opt.step()

    def generator_step(self, real: Tensor, z: Tensor) -> None:
        if self.compiled:
            self.take(self.g, self.g_opt, self.gradients[1](detached(self.g), detached(self.d), z))
            return
        self.g_opt.zero_grad()
        self.d.requires_grad_(False)  # its gradients are not wanted here
        self.losses[1](self.d, self.g(z)).backward()
        self.d.requires_grad_(True)
        self.g_opt.step()

    def take(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, gradients: Tensors
    ) -> None:
        for name, parameter in network.named_parameters():
            parameter.grad = gradients[name]
        optimizer.step()


class Unrolled(Game):
    """A game whose generator looks ``ahead`` updates of Adam ahead, on the minimax objective, and learns through them."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        ahead: int,
        adam: dict[str, Any],
        compiled: bool = False,
    ):
        self.ahead = ahead
        super().__init__(generator, discriminator, (together, together), adam, compiled)

    def generator_step(self, real: Tensor, z: Tensor) -> None:
        live = [self.d_opt.state[p] for p in self.d.parameters()]
        moments = [[state[name] for state in live] for name in ("exp_avg", "exp_avg_sq")]
        done = live[0]["step"]
        if self.compiled:
            gradients = self.gradients[1](
                detached(self.g), detached(self.d), z, real, *moments, done
            )
            self.take(self.g, self.g_opt, gradients)
            return
        self.g_opt.zero_grad()
        params = {name: p.detach().requires_grad_() for name, p in self.d.named_parameters()}
        self.looking_ahead(params, self.g(z), real, *moments, float(done), autograd=True).backward(
            inputs=list(self.g.parameters())
        )
        self.g_opt.step()

    def g_gradients(self, params: Tensors, fixed: Tensors, z: Tensor, *given: Any) -> Tensors:
        def loss(params: Tensors) -> Tensor:
            return self.looking_ahead(fixed, functional_call(self.g, params, (z,)), *given)

        return torch.func.grad(loss)(params)

    def looking_ahead(
        self,
        params: Tensors,
        fake: Tensor,
        real: Tensor,
        m: list[Tensor],
        v: list[Tensor],
        done: Any,
        autograd: bool = False,
    ) -> Tensor:
        """The generator's loss against the discriminator ``ahead`` updates on: each a functional step of Adam."""
        (b1, b2), rate, eps = self.adam["betas"], self.adam["lr"], self.adam.get("eps", 1e-8)

        def loss_at(params: Tensors) -> Tensor:
            return together(lambda x: functional_call(self.d, params, (x,)), real, fake, None)

        for k in range(1, self.ahead + 1):
            if autograd:
                gradients = torch.autograd.grad(
                    loss_at(params), list(params.values()), create_graph=True
                )
            else:
                gradients = list(torch.func.grad(loss_at)(params).values())
            m = [b1 * a + (1 - b1) * g for a, g in zip(m, gradients, strict=True)]
            v = [b2 * a + (1 - b2) * g * g for a, g in zip(v, gradients, strict=True)]
            c1, c2 = 1 - b1 ** (done + k), 1 - b2 ** (done + k)
            # 1e-14 under the root: its derivative is infinite at 0, where dead units put it.
            moved = [
                p - rate * (a / c1) / ((b / c2 + 1e-14).sqrt() + eps)
                for p, a, b in zip(params.values(), m, v, strict=True)
            ]
            params = dict(zip(params, moved, strict=True))
        return -loss_at(params)


def detached(network: nn.Module) -> Tensors:
    return {name: p.detach() for name, p in network.named_parameters()}
