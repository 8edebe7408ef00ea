"""One recipe per system (TOML), installed as `keras_colorize.zoo`."""
