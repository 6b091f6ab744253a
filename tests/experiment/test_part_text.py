"""The text form of named parts."""

import pytest

from gan_jax.experiment.part_text import Part, parse_parts, parse_value, parts_text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("hinge", (Part("hinge"),)),
        ("hinge()", (Part("hinge"),)),
        (
            "wasserstein + gradient_penalty(weight=3)",
            (Part("wasserstein"), Part("gradient_penalty", {"weight": 3})),
        ),
        ("fid50k, kid(samples=100)", (Part("fid50k"), Part("kid", {"samples": 100}))),
        ("is, fid50k", (Part("inception_score"), Part("fid50k"))),
        ("rmsprop(decay=-1e-3)", (Part("rmsprop", {"decay": -1e-3}),)),
        ("alternating(reuse=true)", (Part("alternating", {"reuse": True}),)),
        ("mlp(generator_widths=[32, 16])", (Part("mlp", {"generator_widths": (32, 16)}),)),
        ("dcgan(labels=auxiliary)", (Part("dcgan", {"labels": "auxiliary"}),)),
        ("npz(path='a:b + c')", (Part("npz", {"path": "a:b + c"}),)),
        ("fid50k(weights=inception.npz)", (Part("fid50k", {"weights": "inception.npz"}),)),
        (
            "folder(path=/my/data, resolution=32)",
            (Part("folder", {"path": "/my/data", "resolution": 32}),),
        ),
        ("folder(path= ~/a-b/c+d.e)", (Part("folder", {"path": "~/a-b/c+d.e"}),)),
        ("f(path=.., other=.)", (Part("f", {"path": "..", "other": "."}),)),
        ("f(x=.5e-3, y=./5)", (Part("f", {"x": 5e-4, "y": "./5"}),)),
        (
            "tfds(name=a-b, split=train[:80%])",
            (Part("tfds", {"name": "a-b", "split": "train[:80%]"}),),
        ),
        ("f(a=gs://bucket/x) + g(n=1)", (Part("f", {"a": "gs://bucket/x"}), Part("g", {"n": 1}))),
        (
            "every(n=2, term=f(path=/a/is))",
            (Part("every", {"n": 2, "term": Part("f", {"path": "/a/is"})}),),
        ),
        ("f(g=a.b:c)", (Part("f", {"g": Part("a.b:c")}),)),
        ("my_losses:total_variation", (Part("my_losses:total_variation"),)),
        (
            "a.b.losses:tv(weight=2) + r1",
            (Part("a.b.losses:tv", {"weight": 2}), Part("r1")),
        ),
        (
            "adam(learning_rate=linear_schedule(init_value=1, end_value=0))",
            (
                Part(
                    "adam",
                    {"learning_rate": Part("linear_schedule", {"init_value": 1, "end_value": 0})},
                ),
            ),
        ),
        (
            "packed(m=2, networks=my.nets:mlp(latent_size=2))",
            (Part("packed", {"m": 2, "networks": Part("my.nets:mlp", {"latent_size": 2})}),),
        ),
    ],
)
def test_text_is_parsed_and_written_back(text, parts):
    assert parse_parts(text) == parts
    assert parse_parts(parts_text(parts)) == parts


@pytest.mark.parametrize(
    "text",
    [
        "wasserstein +",
        "hinge + hinge",
        "hinge(1)",
        "hinge(**x)",
        "3",
        "a - b",
        "__import__('os').system('x')",
        "hinge(x=__import__('os').system('x'))",
        "hinge(x=[y for y in (1,)])",
        "my_losses.total_variation",
        "folder(path=/my data)",
        "f(x=1e-)",
        "f(x=a == b)",
        "hinge(x=1e999)",
        "hinge(x=(1, 1e999))",
        "(" * 200,
        "\0",
    ],
)
def test_other_text_is_refused_and_nothing_is_evaluated(text):
    with pytest.raises(ValueError):
        parse_parts(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e4", 1e4),
        ("10_000", 10_000),
        ("(1, 2)", (1, 2)),
        ("True", True),
        ("false", False),
        ("None", None),
        ("plain words", "plain words"),
        ("a=b", "a=b"),
        ("word", "word"),
        ("/a/path.npz", "/a/path.npz"),
        ("cosine(x=1)", Part("cosine", {"x": 1})),
        ("cosine(x)", "cosine(x)"),
        ("my_rates:decay", Part("my_rates:decay")),
        ("weights.npz", "weights.npz"),
    ],
)
def test_a_value_is_a_number_a_part_with_settings_or_else_text(text, value):
    assert parse_value(text) == value
