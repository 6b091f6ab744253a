"""StyleGAN2 written in PyTorch from the paper's formulas, on the parameters of ours.

Each kernel is modulated and demodulated as such, for one sample at a time; resampling is by zeros
between the pixels and a convolution with the 4x4 filter.
"""

import math

import numpy as np
import torch
from torch.nn import functional


def tensor(array):
    return torch.tensor(np.asarray(array))


def filtered(x, up=1, down=1, padding=(0, 0)):
    """Zeros between the pixels, padding, the filter, every second pixel."""
    batch, channels, height, width = x.shape
    if up == 2:
        spread = torch.zeros(batch, channels, 2 * height, 2 * width, dtype=x.dtype)
        spread[:, :, ::2, ::2] = x
        x = spread
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 8
    kernel = (up**2 * torch.outer(taps, taps)).expand(channels, 1, 4, 4)
    x = functional.conv2d(functional.pad(x, (*padding, *padding)), kernel, groups=channels)
    return x[:, :, ::down, ::down]


def scaled_dense(layer, x, multiplier=1.0):
    kernel = tensor(layer["kernel"]) * multiplier / math.sqrt(layer["kernel"].shape[0])
    return x @ kernel + multiplier * tensor(layer["bias"])


def leaky_relu(x):
    return math.sqrt(2) * functional.leaky_relu(x, 0.2)


def normalised(x):
    return x / torch.sqrt(torch.mean(x**2, 1, keepdim=True) + 1e-8)


def mapping(params, latents, one_hot=None):
    inputs = [] if latents is None else [normalised(latents)]
    if one_hot is not None:
        inputs.append(normalised(scaled_dense(params["embedding"], one_hot)))
    x = torch.cat(inputs, 1)
    for index in range(sum(name.startswith("dense") for name in params)):
        x = leaky_relu(scaled_dense(params[f"dense_{index}"], x, 0.01))
    return x


def modulated(layer, x, style, up=False, demodulate=True):
    """Sample by sample, with a kernel of its own."""
    scale = scaled_dense(layer["affine"], style)
    kernel = tensor(layer["kernel"]).permute(3, 2, 0, 1)
    kernel = kernel / math.sqrt(kernel[0].numel())
    outputs = []
    for sample, s in zip(x, scale, strict=True):
        weight = kernel * s[None, :, None, None]
        if demodulate:
            weight = weight / torch.sqrt((weight**2).sum((1, 2, 3), keepdim=True) + 1e-8)
        if up:  # a convolution, not a correlation; padded once, before the filter
            sample = filtered(sample[None], up=2, padding=(3, 2))
            outputs.append(functional.conv2d(sample, weight.flip(2, 3)))
        else:
            outputs.append(functional.conv2d(sample[None], weight, padding=weight.shape[2] // 2))
    return torch.cat(outputs)


def synthesis(params, styles, side, noises):
    """``noises``: of each layer, ``[batch, 1, h, w]``, before their strength."""
    noises = iter(noises)

    def styled(name, x, style, up=False):
        layer = params[name]
        y = modulated(layer, x, style, up) + tensor(layer["noise_strength"]) * next(noises)
        return leaky_relu(y + tensor(layer["bias"])[None, :, None, None])

    def image(side, x, style):
        layer = params[f"to_image_{side}"]
        y = modulated(layer, x, style, demodulate=False)
        return y + tensor(layer["bias"])[None, :, None, None]

    constant = tensor(params["constant"]).permute(2, 0, 1)
    x = constant[None].repeat(len(styles), 1, 1, 1)
    x = styled("conv_4", x, styles[:, 0])
    made, layer, current = image(4, x, styles[:, 1]), 1, 4
    while current < side:
        current *= 2
        x = styled(f"up_{current}", x, styles[:, layer], up=True)
        x = styled(f"conv_{current}", x, styles[:, layer + 1])
        layer += 2
        made = filtered(made, up=2, padding=(2, 1)) + image(current, x, styles[:, layer])
    return made


def scaled_conv(layer, x, down=False):
    kernel = tensor(layer["kernel"]).permute(3, 2, 0, 1)
    size = kernel.shape[2]
    kernel = kernel / math.sqrt(kernel[0].numel())
    bias = tensor(layer["bias"]) if "bias" in layer else None
    if not down:
        return functional.conv2d(x, kernel, bias, padding=size // 2)
    reach = size // 2 + 1
    return functional.conv2d(filtered(x, padding=(reach, reach)), kernel, bias, stride=2)


def minibatch_deviation(x, group):
    """Sample i is compared with i + groups, i + 2 groups, ..."""
    groups = len(x) // group
    of_samples = [
        torch.sqrt(x[i % groups :: groups].var(0, unbiased=False) + 1e-8).mean()
        for i in range(len(x))
    ]
    channel = torch.stack(of_samples)[:, None, None, None].expand(-1, 1, *x.shape[2:])
    return torch.cat([x, channel], 1)


def discriminator(params, x, group, residual, one_hot=None):
    side = x.shape[2]
    x = leaky_relu(scaled_conv(params["from_image"], x))
    while side > 4:
        y = leaky_relu(scaled_conv(params[f"conv_{side}"], x))
        y = leaky_relu(scaled_conv(params[f"down_{side}"], y, down=True))
        if residual:
            y = (scaled_conv(params[f"skip_{side}"], x, down=True) + y) / math.sqrt(2)
        x, side = y, side // 2
    x = leaky_relu(scaled_conv(params["conv_4"], minibatch_deviation(x, group)))
    x = x.permute(0, 2, 3, 1).flatten(1)  # in our order
    x = leaky_relu(scaled_dense(params["dense_4"], x))
    x = scaled_dense(params["head"]["score"], x)
    if one_hot is None:
        return x[:, 0]
    return (x * mapping(params["head"]["mapping"], None, one_hot)).sum(1) / math.sqrt(x.shape[1])
