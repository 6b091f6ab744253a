"""Costs read from programs as XLA writes them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.distributed.mesh import device_mesh, replicated_sharding, split_sharding
from gan_jax.forecasting import costs_of
from gan_jax.forecasting.program_costs import size_of

LOOP = """
HloModule jit_f, is_scheduled=true

%fused (param_0.1: f32[9,4], param_1.1: s32[], param_2.1: f32[4]) -> f32[4] {
  %param_0.1 = f32[9,4]{1,0} parameter(0)
  %param_1.1 = s32[] parameter(1)
  %constant.1 = s32[] constant(0)
  %dynamic-slice.1 = f32[1,4]{1,0} dynamic-slice(%param_0.1, %param_1.1, %constant.1)
  %bitcast.1 = f32[4]{0} bitcast(%dynamic-slice.1)
  %param_2.1 = f32[4]{0} parameter(2)
  ROOT %add.1 = f32[4]{0} add(%bitcast.1, %param_2.1)
}

%body (arg: (s32[], f32[4], f32[9,4])) -> (s32[], f32[4], f32[9,4]) {
  %arg = (s32[], f32[4]{0}, /*index=2*/f32[9,4]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%arg), index=0
  %x = f32[4]{0} get-tuple-element(%arg), index=1
  %rows = f32[9,4]{1,0} get-tuple-element(%arg), index=2
  %next = f32[4]{0} fusion(%rows, %i, %x), kind=kLoop, calls=%fused
  %all = f32[4]{0} all-reduce(%next), replica_groups={}, to_apply=%sum
  ROOT %out = (s32[], f32[4]{0}, f32[9,4]{1,0}) tuple(%i, %all, %rows)
}

%condition (arg.1: (s32[], f32[4], f32[9,4])) -> pred[] {
  %limit = s32[]{:T(128)} constant(9)
  %arg.1 = (s32[]{:T(128)}, f32[4]{0:T(128)S(1)}, f32[9,4]{1,0}) parameter(0)
  %j = s32[]{:T(128)} get-tuple-element(%arg.1), index=0
  ROOT %lt = pred[]{:T(512)} compare(%j, %limit), direction=LT
}

ENTRY %main (a: f32[4], b: f32[9,4]) -> f32[4] {
  %a = f32[4]{0} parameter(0)
  %b = f32[9,4]{1,0} parameter(1)
  %zero = s32[] constant(0)
  %start = (s32[], f32[4]{0}, f32[9,4]{1,0}) tuple(%zero, %a, %b)
  %loop = (s32[], f32[4]{0}, f32[9,4]{1,0}) while(%start), condition=%condition, body=%body%NOTE%
  ROOT %result = f32[4]{0} get-tuple-element(%loop), index=1
}
"""


@pytest.mark.parametrize("note", ["", ', backend_config={"known_trip_count":{"n":"9"}}'])
def test_a_loop_by_hand(note):
    found = costs_of(LOOP.replace("%NOTE%", note))
    # Each round: the condition's comparison, the fusion, and the sum over devices.
    assert found.kernels == 9 * 3
    assert found.collectives == 9 and found.sent == 9 * 4 * 4
    read_by_fusion, written = 4 * 4 + 4 + 4 * 4, 4 * 4  # one row of b, the index, x
    comparison = 4 + 4 + 1
    assert found.bytes == 9 * (read_by_fusion + written + comparison + 2 * 4 * 4)
    assert found.loops_of_unknown_length == 0


FUSED = """
HloModule jit_f, is_scheduled=true

%start (p: f32[2,4]) -> (f32[2,4], f32[8,4], u32[]) {
  %p = f32[2,4]{1,0} parameter(0)
  %all-gather.1 = f32[8,4]{1,0} all-gather(%p), channel_id=1, dimensions={0}
  ROOT %call.1 = (f32[2,4]{1,0}, f32[8,4]{1,0}, u32[]) custom-call(%all-gather.1)
}

%done (q: f32[8,4]) -> f32[8,4] {
  %q = f32[8,4]{1,0} parameter(0)
  %all-gather.2 = f32[8,4]{1,0} all-gather(%q), channel_id=1, dimensions={0}
  ROOT %call.2 = f32[8,4]{1,0} custom-call(%all-gather.2)
}

%all-reduce-scatter.1 (r: f32[8,4]) -> f32[2,4] {
  %r = f32[8,4]{1,0} parameter(0)
  %all-reduce.1 = f32[8,4]{1,0} all-reduce(%r), channel_id=1, to_apply=%sum
  ROOT %slice.1 = f32[2,4]{1,0} dynamic-slice(%all-reduce.1)
}

ENTRY %main (a: f32[2,4]) -> f32[2,4] {
  %a = f32[2,4]{1,0} parameter(0)
  %begun = (f32[2,4]{1,0}, f32[8,4]{1,0}, u32[]) fusion(%a), kind=kCustom, calls=%start
  %part = f32[8,4]{1,0} get-tuple-element(%begun), index=1
  %whole = f32[8,4]{1,0} fusion(%part), kind=kCustom, calls=%done
  %sums = f32[2,4]{1,0} fusion(%whole), kind=kCustom, calls=%all-reduce-scatter.1
  ROOT %again = f32[1,4]{1,0} reduce-scatter(%sums), channel_id=3, to_apply=%sum
}
"""


def test_collectives_inside_of_fusions_count_once():
    found = costs_of(FUSED)
    assert found.collectives == 3 and found.kernels == 4
    gathered, summed, summed_again = 8 * 4 * 4, 8 * 4 * 4, 2 * 4 * 4
    assert found.sent == gathered + summed + summed_again


def test_sizes():
    assert size_of("(f32[2,3]{1,0}, bf16[4], s32[], pred[5])") == 24 + 8 + 4 + 5
    assert size_of("f32[8,128]{1,0:T(8,128)S(1)}") == 0
    assert size_of("f32[8,128]{1,0:T(8,128)S(1)}", on_chip=True) == 4096


def compiled(function, *arguments, **options):
    return jax.jit(function, **options).lower(*arguments).compile().as_text()


def test_longer_loops_cost_more_in_proportion():
    def loop(length):
        def rounds(x):
            return jax.lax.scan(lambda h, _: (jnp.tanh(h @ h), None), x, None, length=length)[0]

        return costs_of(compiled(rounds, np.ones((64, 64), np.float32)))

    short, long = loop(10), loop(110)
    assert short.loops_of_unknown_length == long.loops_of_unknown_length == 0
    per_round = (long.bytes - short.bytes) / 100
    assert 2 * 4 * 64 * 64 <= per_round <= 12 * 4 * 64 * 64
    assert 1 <= (long.kernels - short.kernels) / 100 <= 8


def test_a_mean_over_devices_is_one_collective():
    mesh = device_mesh()
    text = compiled(
        lambda x: jnp.mean(x, 0),
        np.ones((8, 32), np.float32),
        in_shardings=split_sharding(mesh),
        out_shardings=replicated_sharding(mesh),
    )
    found = costs_of(text)
    assert found.collectives == 1 and found.sent == 32 * 4
