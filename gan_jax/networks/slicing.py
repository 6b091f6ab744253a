"""SAN's discriminator: features of any network, and a direction in place of its last layer."""

import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey
from gan_jax.networks.factory import NetworksFactory
from gan_jax.objectives.slicing import DIRECTION, unit_directions


def san(shape: tuple[int, ...], classes: int = 0, *, networks: NetworksFactory) -> Networks:
    """Returns networks whose score is ``<omega, h(x)>``: features h and a unit vector omega.

    The features are those of other networks, whose own last layer is not used: its parameters stay
    as they are. With labels there is an omega for each class. Trained by the objective
    `gan_jax.objectives.slicing.san`, as in ``san(term=hinge)``.

    Args:
      shape: shape of one sample.
      classes: number of labels, 0 for none.
      networks: makes the other networks, such as `mlp`.

    Returns:
      The networks; the discriminator's parameters have the further entry ``"direction"``,
      ``[max(classes, 1), features]``.

    Raises:
      UserError: the other networks have no features, or classify.

    References:
      Takida et al., "SAN: Inducing Metrizability of GAN with Discriminative Normalized Linear
      Layer" (2024), section 6, and the authors' code.
    """
    inner = networks(tuple(shape), classes)
    features = inner.features
    if features is None or inner.classify is not None:
        raise UserError("san needs networks with features and without a classifier")

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        generator, discriminator = inner.init(rng)
        samples = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        label = {"label": jax.ShapeDtypeStruct((1,), jnp.int32)} if classes else {}
        size = jax.eval_shape(features, discriminator, samples, **label).shape[-1]
        key = jax.random.fold_in(rng, 2)
        direction = jax.random.normal(key, (max(classes, 1), size))
        return generator, {**discriminator, DIRECTION: direction}

    def inner_features(params: Params, samples: Array, **conditions: Array) -> Array:
        own = {name: value for name, value in params.items() if name != DIRECTION}
        h: Array = features(own, samples, **conditions)
        return h.astype(jnp.promote_types(h.dtype, jnp.float32))

    def score(params: Params, samples: Array, **conditions: Array) -> Array:
        omega = unit_directions(params, conditions.get("label") if classes else None)
        return jnp.sum(omega * inner_features(params, samples, **conditions), -1)

    draws = tuple(name for name in inner.random if name != "score")
    return inner._replace(
        init=init,
        score=score,
        features=inner_features,
        random=(*draws, "score") if "features" in draws else draws,
    )
