"""What paper figures share: claims and their verdicts, the files of a figure, and its runs.

The figures themselves are the files of ``experiments/figures``.
"""

from gan_jax.experiment.run_directory import samples_over_training
from gan_jax.reproduction.claims import (
    COLUMNS,
    Claim,
    Kind,
    Verdict,
    format_table,
    format_values,
    summarize,
    table_rows,
)
from gan_jax.reproduction.figures import (
    SCALES,
    Figure,
    figure_names,
    load_figure,
    measure_figure,
)
from gan_jax.reproduction.gallery import gallery, time_and_machine
from gan_jax.reproduction.records import (
    CLAIMS_FILE,
    PICTURE_FILES,
    RESULTS_FILE,
    SECONDS_SUFFIX,
    add_seconds,
    cached,
    environment_facts,
    is_shortened,
    load_record,
    merge_records,
    progress_callback,
    save_pictures,
    save_record,
    seconds_spent,
    to_json_value,
)
from gan_jax.reproduction.runs import (
    Run,
    folder_name,
    run_directories,
    train_runs,
    untrained_seeds,
)

__all__ = [
    "CLAIMS_FILE",
    "COLUMNS",
    "Claim",
    "Figure",
    "Kind",
    "PICTURE_FILES",
    "RESULTS_FILE",
    "Run",
    "SCALES",
    "SECONDS_SUFFIX",
    "Verdict",
    "add_seconds",
    "cached",
    "environment_facts",
    "figure_names",
    "folder_name",
    "format_table",
    "format_values",
    "gallery",
    "is_shortened",
    "load_figure",
    "load_record",
    "measure_figure",
    "merge_records",
    "progress_callback",
    "run_directories",
    "samples_over_training",
    "save_pictures",
    "save_record",
    "seconds_spent",
    "summarize",
    "table_rows",
    "time_and_machine",
    "to_json_value",
    "train_runs",
    "untrained_seeds",
]
