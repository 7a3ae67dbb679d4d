"""Where the heavy work of a run is done: on this machine, or on a Ray cluster."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from config.fields import Section

ShardsAtOnce = Annotated[
    int,
    Field(
        default=1,
        ge=1,
        le=64,
        description="So many shards are worked off side by side, each in a process or an actor of its own that cuts,"
        " embeds and writes; 1: in turn. For a model that runs there, a store on a server, and databases that all of"
        " them reach: on a Ray cluster PostgreSQL.",
    ),
]


class LocalRunner(Section):
    """One machine does it all."""

    kind: Literal["local"] = Field(default="local", description="Everything runs on this machine.")
    shards_at_once: ShardsAtOnce


class Parsers(Section):
    """Actors that cut documents."""

    num_cpus: float = Field(default=1.0, gt=0, description="CPUs that each takes; there is one on each node.")


class Models(Section):
    """Actors that hold a model."""

    num_cpus: float | None = Field(
        default=None,
        gt=0,
        description="CPUs that each takes. Default: what parsers leave of the smallest node; beside a GPU 1.",
    )
    num_gpus: float = Field(default=0, ge=0, description="GPUs that each takes, such as 1 or 0.5.")
    replicas: Literal["auto"] | Annotated[int, Field(gt=0)] = Field(
        default="auto", description="How many; auto: as many as fit into the cluster when the run begins."
    )


class RayRunner(Section):
    """A Ray cluster. Ledger, cache and store are written by the machine that runs Headrace, unless shards run there."""

    kind: Literal["ray"] = Field(description="Models run on the nodes of a Ray cluster.")
    address: str = Field(
        default="auto",
        min_length=1,
        description="host:port of the cluster's head; auto: RAY_ADDRESS, or the cluster that this machine is part of;"
        " local: a cluster on this machine for the run alone.",
    )
    embed: Models = Field(
        default_factory=lambda: Models.model_validate({}), description="Actors with the model, which load it once."
    )
    parse: Parsers | None = Field(
        default=None, description="Actors that cut documents into chunks. Default: processes on this machine."
    )
    shards_at_once: ShardsAtOnce
    patience_seconds: float = Field(
        default=60.0, gt=0, description="A cluster that has lost all of its nodes is waited for so long."
    )


def with_kind(runner: Any) -> Any:
    """The runner with `kind: local` where none is given."""
    return {"kind": "local", **runner} if isinstance(runner, dict) else runner


Runner = Annotated[
    Annotated[LocalRunner | RayRunner, Field(discriminator="kind")],
    BeforeValidator(with_kind),
]
