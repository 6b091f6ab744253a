"""Every field of an experiment, with its default. Other configs start from this one.

A named part is text: ``name(setting=value)`` calls the function of that name, of the modules in
brackets, with these settings. A function of your own is named ``package.module:function``. Parts
are joined by ``+``.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()

    # What is trained.
    config.seed = 0
    config.dataset = "ring"  # [gan_jax.data]
    config.networks = "mlp"  # [gan_jax.networks]
    config.objective = "non_saturating"  # sum of terms [gan_jax.losses, gan_jax.penalties]
    # What the objective is turned into, in order [gan_jax.objectives.saddle_point,
    # gan_jax.objectives.weighting, gan_jax.objectives.sample_history]: "saddle", the adaptive
    # weight of VQGAN, or CycleGAN's history of generated samples.
    config.transformations = ""
    config.unroll = 0  # discriminator updates that the generator looks ahead
    config.unroll_resample = False  # new latents in each look-ahead update
    config.unroll_stop_gradient = False  # look ahead, but do not learn through the look-ahead
    config.unroll_rematerialise = False  # recompute look-ahead updates: less memory, more time

    # Of what the discriminator sees, in order [gan_jax.objectives.augmentation]. A target above 0
    # makes it adaptive (ADA): the target of the mean sign of the scores of real samples.
    config.augmentation = ""
    config.augmentation_target = 0.0
    # Weight, in the generator's loss, of the squared gradient norm of the discriminator's loss.
    config.gradient_regularisation = 0.0
    # Phases (resolution, batch size, steps, fade steps) of networks that grow, such as progan;
    # their batch sizes replace config.batch_size.
    config.progressive_growing = ()

    # How the networks are updated.
    # [gan_jax.training.alternating_updates, gan_jax.training.joint_updates]
    config.update_rule = "alternating"
    config.steps = 10_000  # generator updates
    config.batch_size = 64  # over all devices
    config.discriminator_steps = 1  # discriminator updates per generator update (WGAN's n_critic)
    # burst > 0: this many discriminator updates at the first steps, and at each step divisible by
    # every.
    config.extra_discriminator_steps = ConfigDict({"burst": 0, "first": 25, "every": 500})
    # Stages in order [optax, gan_jax.training.optimizers].
    config.generator_optimizer = "adam(learning_rate=2e-4, b1=0.5)"
    config.discriminator_optimizer = "adam(learning_rate=2e-4, b1=0.5)"
    config.ema_decay = 0.0  # of the generator's parameters; the EMA is what gets sampled
    config.ema_warmup = ""  # or "num_updates", "rampup" [gan_jax.training.schedules]
    # Several EMAs, in place of ema_decay, as in "ema(decay=0.999) + power_ema(std=0.05)"; the first
    # is what gets sampled, the others by sample.py --ema=... [gan_jax.training.moving_averages]
    config.ema = ""

    # A run directory, or RUN@STEP, whose parameters this run starts from; those of another shape
    # are drawn anew. An optimizer's last stage freeze(paths=...) names those that stay as they are.
    config.init_from = ""

    # When numbers are no longer finite: "stop"; "skip" the update that would make them so; or
    # "roll_back" to the newest checkpoint and go on with other draws.
    config.nonfinite = "stop"

    # When a run is in trouble (mode collapse, a vanishing gradient, ...): "warn"; "stop" it; or go
    # back to before it, "roll_back(learning_rate_factor=0.5)" [gan_jax.diagnosis.responses].
    config.on_trouble = "warn"
    # End before the last step, as in "patience(metric='fd_lenet', evaluations=5)"
    # [gan_jax.diagnosis.stopping].
    config.stop_when = ""

    # The fields in which the members of a population differ, a value for each member:
    # {"seed": (0, 1, 2)}.
    config.population = ConfigDict()

    # Where it runs. None of these changes the numbers, but for rounding.
    # "sharded", "pmapped", or "fully_sharded": the state is divided over the devices, too
    # [gan_jax.training.data_parallel].
    config.parallelism = "sharded"
    config.precision = "float32"  # or "bfloat16": inside the networks
    config.accumulation_steps = 1  # parts of a batch that are worked through in turn, for memory
    config.steps_per_call = 50  # steps in one call of the device; divides the intervals below
    config.python_path = ()  # folders of the modules that named parts of your own are in

    # What is written to the run directory, at intervals in steps.
    config.log_every = 500
    config.health = True  # measure what goes wrong once per log_every steps: docs/diagnosis.md
    config.checkpoint_every = 5_000
    config.keep_checkpoints = 2  # the newest ones; the best one is kept too
    config.sample_every = 5_000
    config.num_samples = 64  # in each sample grid
    config.metrics = ""  # [gan_jax.evaluation.protocols]
    config.profile = 0  # steps after the first call of a start that are traced for xprof
    config.evaluate_every = 5_000
    config.best_metric = ""  # a metric's name: the checkpoint with its best value is kept
    config.best_mode = "min"  # or "max"

    config.tensorboard = False  # event files in the run directory; needs tensorboardX
    # W&B. It never stops a run.
    config.wandb = ConfigDict()
    config.wandb.use = False
    config.wandb.mode = "offline"  # or "online"
    config.wandb.project = "gan_jax"
    config.wandb.name = ""  # empty: made from the config
    config.wandb.group = ""
    config.wandb.tags = ()
    return config.lock()  # a mistyped field in another config is an error
