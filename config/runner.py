"""Where the heavy work of a run is done: on this machine, or on a Ray cluster."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from config.fields import Section


class LocalRunner(Section):
    """One machine does it all."""

    kind: Literal["local"] = Field(default="local", description="Everything runs on this machine.")


class Actors(Section):
    """What each of some actors takes of the cluster."""

    num_cpus: float | None = Field(
        default=None, gt=0, description="CPUs that each takes. Default: all of the smallest node; 1 beside a GPU."
    )
    num_gpus: float = Field(default=0, ge=0, description="GPUs that each takes, such as 1 or 0.5.")
    replicas: Literal["auto"] | int = Field(
        default="auto", description="How many; auto: as many as fit into the cluster when the run begins."
    )


class RayRunner(Section):
    """A Ray cluster. The ledger, the cache and the store are written by the machine that runs Headrace, alone."""

    kind: Literal["ray"] = Field(description="Models run on the nodes of a Ray cluster.")
    address: str = Field(
        default="auto",
        min_length=1,
        description="host:port of the cluster's head; auto: RAY_ADDRESS, or the cluster that this machine is part of;"
        " local: a cluster on this machine for the run alone.",
    )
    embed: Actors = Field(
        default_factory=lambda: Actors.model_validate({}), description="Actors with the model, which load it once."
    )
    parse: Actors | None = Field(
        default=None, description="Actors that cut documents into chunks. Default: processes on this machine."
    )
    patience_seconds: float = Field(
        default=60.0, gt=0, description="A cluster that has lost all of its nodes is waited for so long."
    )

    @model_validator(mode="after")
    def _both_have_room(self) -> Self:
        if self.parse and self.embed.num_cpus is None and not self.embed.num_gpus:
            raise ValueError("`parse` wants `embed: {num_cpus: …}` beside it, or nothing would be left for one of them")
        return self


def with_kind(runner: Any) -> Any:
    """The runner with `kind: local` where none is given."""
    return {"kind": "local", **runner} if isinstance(runner, dict) else runner


Runner = Annotated[
    Annotated[LocalRunner | RayRunner, Field(discriminator="kind")],
    BeforeValidator(with_kind),
]
