"""Real and generated samples that are none: one line."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from properties import malformed_input, odd_arrays

from gan_jax.errors import UserError
from gan_jax.evaluation import RealSamples
from gan_jax.evaluation.sample_sources import ArraySamples


def is_array(value) -> bool:
    return isinstance(value, np.ndarray)


real_data = st.one_of(
    odd_arrays().filter(is_array),
    st.dictionaries(
        st.sampled_from(("real", "label", "train", "test", "x")),
        odd_arrays().filter(is_array),
        max_size=3,
    ),
)


@example(np.zeros((3, 0)))
@example(np.full((3, 2), 1e300))
@example({"real": np.zeros((3, 2)), "label": np.full(3, 2**40)})
@given(real_data)
def test_any_real_data_is_samples_or_refused(data):
    # TypeError for data of another form, as documented.
    with malformed_input(UserError, TypeError), np.errstate(all="ignore"):
        arrays = RealSamples.of(data).train.arrays
        assert arrays["real"].size and np.isfinite(arrays["real"]).all()
        assert "label" not in arrays or arrays["label"].min() >= 0


@given(odd_arrays().filter(is_array))
def test_any_generated_array_is_samples_or_refused(array):
    with malformed_input(UserError), np.errstate(all="ignore"):
        ArraySamples(array, (3,))(None, 2)
