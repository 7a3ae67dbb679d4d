"""YAML file and environment to a Pipeline, or a ConfigError that names file, line, field and remedy."""
