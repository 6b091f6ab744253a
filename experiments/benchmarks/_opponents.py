"""PyTorch's side of the training cases: the same algorithms on the same shapes, written as its users write them.

Eager code goes through ``backward()`` and fused Adam. Compiled code is ``torch.compile`` of the gradients by ``torch.func``,
forward and backward in one graph, as its autograd cannot differentiate a compiled graph twice. Every step takes its draws as
arguments, so that a test can give both sides the same ones. ``load`` puts our weights into a module of here.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Tensors = dict[str, Tensor]
Loss = Callable[..., Tensor]
"""``(score, real, fake, share) -> scalar`` of the discriminator; ``(score, fake) -> scalar`` of the generator."""


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def mlp(sizes: Sequence[int], scale: float = 1.0) -> nn.Sequential:
    """Linear layers with ReLU between them; one output is a score ``[batch]``."""
    layers: list[nn.Module] = [Scale(scale)] if scale != 1.0 else []
    for n, m in itertools.pairwise(sizes):
        layers += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(*layers[:-1], *([nn.Flatten(0)] if sizes[-1] == 1 else []))


def norm(name: str, channels: int) -> nn.Module:
    """Nothing is kept from batch to batch, as on our side."""
    return nn.BatchNorm2d(channels, track_running_stats=False) if name == "batch" else nn.GroupNorm(1, channels)


def dcgan(side: int, channels: int, width: int, critic: str = "batch", latent: int = 100) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with 5x5 kernels, from 4x4 (7x7 for 28), as `gan_jax.networks.dcgan`."""
    sizes = [side]
    while sizes[0] % 2 == 0 and sizes[0] > 4:
        sizes.insert(0, sizes[0] // 2)
    steps = len(sizes) - 1
    widths = [min(width * 2 ** (steps - 1 - i), 1024) for i in range(steps)]
    low = sizes[0]
    features = widths[0] * low * low
    generator: list[nn.Module] = [nn.Linear(latent, features, bias=False), nn.BatchNorm1d(features, track_running_stats=False)]
    generator += [nn.ReLU(), nn.Unflatten(1, (widths[0], low, low))]
    for n, m in itertools.pairwise(widths):
        generator += [nn.ConvTranspose2d(n, m, 5, 2, 2, output_padding=1, bias=False), norm("batch", m), nn.ReLU()]
    generator += [nn.ConvTranspose2d(widths[-1], channels, 5, 2, 2, output_padding=1), nn.Tanh()]
    discriminator: list[nn.Module] = [nn.Conv2d(channels, width, 5, 2, 2), nn.LeakyReLU(0.2)]
    for n, m in itertools.pairwise(reversed(widths)):
        discriminator += [nn.Conv2d(n, m, 5, 2, 2, bias=False), norm(critic, m), nn.LeakyReLU(0.2)]
    discriminator += [nn.Flatten(), nn.Linear(widths[0] * low * low, 1), nn.Flatten(0)]
    return nn.Sequential(*generator), nn.Sequential(*discriminator)


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
        self.g_opt, self.d_opt = (torch.optim.Adam(m.parameters(), fused=True, **adam) for m in (generator, discriminator))
        self.gradients = [torch.compile(f) for f in (self.d_gradients, self.g_gradients)] if compiled else []

    def d_gradients(self, params: Tensors, real: Tensor, fake: Tensor, share: Tensor | None) -> Tensors:
        score = lambda p: lambda x: functional_call(self.d, p, (x,))
        return torch.func.grad(lambda p: self.losses[0](score(p), real, fake, share))(params)

    def g_gradients(self, params: Tensors, fixed: Tensors, z: Tensor) -> Tensors:
        score = lambda x: functional_call(self.d, fixed, (x,))
        return torch.func.grad(lambda p: self.losses[1](score, functional_call(self.g, p, (z,))))(params)

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

    def take(self, network: nn.Module, optimizer: torch.optim.Optimizer, gradients: Tensors) -> None:
        for name, parameter in network.named_parameters():
            parameter.grad = gradients[name]
        optimizer.step()


class Unrolled(Game):
    """A game whose generator looks ``ahead`` updates of Adam ahead, on the minimax objective, and learns through them."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, ahead: int, adam: dict[str, Any], compiled: bool = False
    ):
        self.ahead = ahead
        super().__init__(generator, discriminator, (together, together), adam, compiled)

    def generator_step(self, real: Tensor, z: Tensor) -> None:
        live = [self.d_opt.state[p] for p in self.d.parameters()]
        moments = [[state[name] for state in live] for name in ("exp_avg", "exp_avg_sq")]
        done = live[0]["step"]
        if self.compiled:
            gradients = self.gradients[1](detached(self.g), detached(self.d), z, real, *moments, done)
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
        self, params: Tensors, fake: Tensor, real: Tensor, m: list[Tensor], v: list[Tensor], done: Any, autograd: bool = False
    ) -> Tensor:
        """The generator's loss against the discriminator ``ahead`` updates on: each a functional step of Adam."""
        (b1, b2), rate, eps = self.adam["betas"], self.adam["lr"], self.adam.get("eps", 1e-8)

        def loss_at(params: Tensors) -> Tensor:
            return together(lambda x: functional_call(self.d, params, (x,)), real, fake, None)

        for k in range(1, self.ahead + 1):
            if autograd:
                gradients = torch.autograd.grad(loss_at(params), list(params.values()), create_graph=True)
            else:
                gradients = list(torch.func.grad(loss_at)(params).values())
            m = [b1 * a + (1 - b1) * g for a, g in zip(m, gradients, strict=True)]
            v = [b2 * a + (1 - b2) * g * g for a, g in zip(v, gradients, strict=True)]
            c1, c2 = 1 - b1 ** (done + k), 1 - b2 ** (done + k)
            # 1e-14 under the root: its derivative is infinite at 0, where dead units put it.
            moved = [
                p - rate * (a / c1) / ((b / c2 + 1e-14).sqrt() + eps) for p, a, b in zip(params.values(), m, v, strict=True)
            ]
            params = dict(zip(params, moved, strict=True))
        return -loss_at(params)


class _Operations(TorchDispatchMode):
    """Counts as ``FlopCounterMode``, whose hooks on modules refuse gradients with respect to inputs."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func._overloadpacket):
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def flops(call: Callable[[], Any]) -> float:
    """Of the matrix products and convolutions of an eager call."""
    with _Operations() as counter:
        call()
    return float(counter.total)


def detached(network: nn.Module) -> Tensors:
    return {name: p.detach() for name, p in network.named_parameters()}


class EqualisedConv(nn.Conv2d):
    """Weights of variance 1, scaled where they are used."""

    def __init__(self, n: int, m: int, size: int = 3, gain: float = 2**0.5) -> None:
        super().__init__(n, m, size, padding=size // 2)
        self.scale = gain / (n * size * size) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.scale * self.weight, self.bias, padding=self.padding)


class PixelNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def block(params: dict[str, Any], xs: np.ndarray, compiled: bool, channels_last: bool) -> Callable[[], float]:
    """ProGAN's blocks at one resolution from our weights: a call takes an update on each of ``xs``, returns the last value."""
    rise = nn.LeakyReLU(0.2)
    layers = {name: layer["kernel"] for name, layer in params["params"].items()}
    half, width = layers["up"].shape[2:]
    to_image, from_image = EqualisedConv(width, 3, 1, gain=1.0), EqualisedConv(3, width, 1)
    up = [nn.Upsample(scale_factor=2), EqualisedConv(half, width), rise, PixelNorm()]
    up += [EqualisedConv(width, width), rise, PixelNorm()]
    down = [rise, EqualisedConv(width, width), rise, EqualisedConv(width, half), nn.AvgPool2d(2), rise]
    network = nn.Sequential(*up, to_image, from_image, *down)
    names = ("up", "conv_up", "to_image", "from_image", "conv_down", "down")
    with torch.no_grad():
        for name, module in zip(names, (m for m in network if isinstance(m, nn.Conv2d)), strict=True):
            module.weight.copy_(torch.from_numpy(np.array(layers[name])).permute(3, 2, 0, 1))
            module.bias.zero_()
    form = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=form)
    inputs = [torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=form) for x in xs]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.0, 0.99), fused=True)
    forward = torch.compile(network) if compiled else network

    def call() -> float:
        for x in inputs:
            optimizer.zero_grad()
            value = forward(x).square().mean()
            value.backward()
            optimizer.step()
        return value.item()

    return call


def on_threads(threads: int, call: Callable[[], Any]) -> Callable[[], Any]:
    """The call with so many threads."""

    def run() -> Any:
        torch.set_num_threads(threads)
        return call()

    return run


def ring_points(size: int, scale: float = 1.0) -> Tensor:
    """Fresh points on the ring of 8 Gaussians."""
    angle = torch.randint(8, (size,)) * (2 * torch.pi / 8)
    return scale * (2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.02 * torch.randn(size, 2))


def shuffled_images(data: np.ndarray, size: int, channels_last: bool = False) -> Iterator[Tensor]:
    """Endless minibatches in [-1, 1] of uint8 images ``[n, height, width, channels]``, each epoch in an order of its own."""
    own = torch.from_numpy(data).permute(0, 3, 1, 2)
    own = own if channels_last else own.contiguous()
    while True:
        for index in torch.randperm(len(own)).split(size):
            if len(index) == size:
                yield own[index].float().div_(127.5).sub_(1)


class Images(torch.utils.data.Dataset):
    """uint8 images by index, or many at once by a list of indices, their channels first."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Any) -> Tensor:
        return torch.from_numpy(self.data[index]).movedim(-1, -3)


def epoch_of(data: np.ndarray, size: int, whole: bool, workers: int) -> Callable[[], float]:
    """An epoch of a DataLoader, as floats in [-1, 1]: returns 1 + their mean. ``whole``: batches of indices are asked for."""
    dataset, keep = Images(data), {"num_workers": workers, "persistent_workers": workers > 0}
    if whole:
        order = torch.utils.data.RandomSampler(dataset)
        batches = torch.utils.data.BatchSampler(order, size, drop_last=True)
        loader = torch.utils.data.DataLoader(dataset, sampler=batches, batch_size=None, **keep)
    else:
        loader = torch.utils.data.DataLoader(dataset, size, shuffle=True, drop_last=True, **keep)

    def call() -> float:
        means = [batch.float().div_(127.5).sub_(1).mean().item() for batch in loader]
        return 1 + sum(means) / len(means)

    return call


def load(network: nn.Module, params: dict[str, Any]) -> None:
    """Puts the weights of one of our networks, ``{"params": ...}``, into the same one of here."""
    layers = list(_layers(params["params"]))
    mine = [module for module in network.modules() if list(module.parameters(recurse=False))]
    map_side = next((m for m in network.modules() if isinstance(m, nn.Unflatten)), None)
    channels = 0
    with torch.no_grad():
        first, low, _ = map_side.unflattened_size if map_side else (0, 0, 0)
        for module, layer in zip(mine, layers, strict=True):
            values = {name: torch.from_numpy(np.array(value)) for name, value in layer.items()}
            if "gain" in values:
                for own, given in ((module.weight, values["gain"]), (module.bias, values["offset"])):
                    flat = isinstance(module, nn.BatchNorm1d)
                    own.copy_(given.reshape(low, low, first).permute(2, 0, 1).reshape(-1) if flat else given)
                continue
            kernel = values["kernel"]
            if isinstance(module, nn.ConvTranspose2d):
                kernel = kernel.permute(2, 3, 0, 1)
            elif isinstance(module, nn.Conv2d):
                kernel = kernel.permute(3, 2, 0, 1)
                channels = len(kernel)
            elif map_side is not None:  # our maps have their channels last
                kernel = kernel.reshape(-1, low, low, first).permute(3, 1, 2, 0).reshape(-1, len(kernel))
            elif channels:
                low = round((len(kernel) / channels) ** 0.5)
                kernel = kernel.reshape(low, low, channels, -1).permute(3, 2, 0, 1).reshape(kernel.shape[1], -1)
            else:
                kernel = kernel.T
            module.weight.copy_(kernel)
            if "bias" in values:
                module.bias.copy_(values["bias"])


def _layers(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The layers of our parameters in the order in which they act."""
    if any(not isinstance(value, dict) for value in tree.values()):
        yield tree
        return
    for name in sorted(tree, key=_order):
        yield from _layers(tree[name])


def _order(name: str) -> tuple[int, int, int]:
    """hidden or project, then numbered layers, each with its norm right after it, then the output or the head."""
    kind, _, index = name.rpartition("_")
    number = int(index) if index.isdecimal() else -1
    if name in ("output", "head"):
        number = 1000
    return number, int(kind == "norm" or name.startswith("norm_")), 0
