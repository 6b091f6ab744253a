"""Every field of an experiment, with its default. Other configs start from this one and change what they need."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()

    # What is trained. Each named part calls the public function of that name in the module in brackets.
    config.seed = 0
    config.dataset = {"ring": {}}  # one of [gan_jax.data]
    config.networks = {"mlp": {}}  # one of [gan_jax.networks]
    config.objective = {
        "non_saturating": {}
    }  # a sum of terms [gan_jax.objectives.losses, gan_jax.objectives.penalties]
    config.unroll = 0  # discriminator updates that the generator looks ahead
    config.unroll_resample = False  # draw new latents in each look-ahead step
    config.unroll_stop_gradient = False  # look ahead, but learn nothing through the look-ahead
    config.unroll_rematerialise = False  # less memory for more time: recompute each look-ahead step

    config.augmentation = ()  # of what the discriminator sees, in order [gan_jax.objectives.augmentation]
    config.augmentation_target = 0.0  # 0: always augment; else adaptively (ADA), with this target of mean sign(score of real)
    config.gradient_regularisation = (
        0.0  # weight of the squared gradient of the discriminator's loss, for the generator
    )
    config.progressive_growing = ()  # phases (resolution, batch size, steps, fade steps) of networks that grow; they rule batch_size

    # How the players move.
    config.update_rule = {"alternating": {}}  # one of [gan_jax.training]
    config.steps = 10_000  # generator updates
    config.batch_size = 64  # over all devices
    config.discriminator_steps = 1  # discriminator updates per generator update
    config.extra_discriminator_steps = {
        "many": 0,
        "first": 25,
        "every": 500,
    }  # many > 0: so many at the first steps and every so often
    config.generator_optimizer = (
        {"adam": {"learning_rate": 2e-4, "b1": 0.5}},
    )  # stages in order [optax, gan_jax.training.optimizers]
    config.discriminator_optimizer = ({"adam": {"learning_rate": 2e-4, "b1": 0.5}},)
    config.ema_warmup = ""  # or "num_updates", "rampup" [gan_jax.training.schedules]
    config.ema_decay = (
        0.0  # decay of the moving average of the generator, which is what gets sampled
    )

    # Values of the fields in which the members of a population differ, one a member: {"seed": (0, 1, 2)}.
    config.population = {}

    # Where it runs.
    config.parallelism = (
        "sharded"  # or "pmapped" [gan_jax.training.data_parallel]: the same numbers
    )
    config.precision = (
        "float32"  # or "bfloat16": of the work inside the networks; all else stays float32
    )
    config.accumulation_steps = (
        1  # parts that a batch is worked through in, for memory [gan_jax.objectives.accumulation]
    )
    config.steps_per_call = (
        50  # steps in one call of the device; the intervals below are multiples of it
    )

    # What is written to the workdir, every so many steps.
    config.log_every = 500
    config.checkpoint_every = 5_000
    config.keep_checkpoints = 2  # newest checkpoints kept, beside the best
    config.sample_every = 5_000
    config.num_samples = 64  # in each sample grid
    config.metrics = {}  # any of [gan_jax.evaluation.protocols]
    config.evaluate_every = 5_000
    config.best_metric = ""  # a metric's name: the checkpoint with its best value is kept too
    config.best_mode = "min"  # or "max"

    # W&B, where asked for. It never stops a run.
    config.wandb = ConfigDict()
    config.wandb.use = False
    config.wandb.mode = "offline"  # or "online"
    config.wandb.project = "gan_jax"
    config.wandb.name = ""  # empty: made from the config
    config.wandb.group = ""
    config.wandb.tags = ()
    return config.lock()  # a mistyped field of another config is an error
