"""Names of workers, such as `ray(engines=4)`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from reasoner.errors import ConfigError
from reasoner.naming import near, parse_spec, quoted
from reasoner.schema import Frozen

RAY = "ray"
EXAMPLE = "ray, ray:HOST:PORT, ray:auto or ray(engines=4)"
AUTO = "auto"
"""The address of the cluster that runs on this machine."""
ADDRESS = re.compile(r"[^\s:/@]+:[0-9]{1,5}", re.ASCII)

Amount = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]


class WorkersSpec(Frozen):
    """Engines on a Ray cluster.

    `address` is that of the cluster, None for one that is started here. There are at most `engines`, as
    many as there is room for without it. Each reserves `cpus` and `gpus`, by default what its backend needs.
    """

    address: str | None = None
    engines: Annotated[int, Field(ge=1, le=10_000)] | None = None
    cpus: Amount | None = None
    gpus: Annotated[int, Field(ge=0, le=64)] | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read workers such as `ray`, `ray:10.0.0.7:6379` or `ray(engines=4, cpus=2)`.

        Raises:
            ConfigError: it names none, or a setting is unknown or wrong.
        """
        place, settings = parse_spec(text)
        name, colon, address = place.partition(":")
        if name != RAY or (colon and not (address == AUTO or ADDRESS.fullmatch(address))):
            raise ConfigError(f"{quoted(text)} names no workers; write {EXAMPLE}")
        return cls._build(text, {"address": address} if address else {}, settings)

    @classmethod
    def _build(cls, text: str, address: dict[str, Any], settings: dict[str, Any]) -> Self:
        known = [field for field in cls.model_fields if field != "address"]
        for setting in settings:
            if setting not in known:
                raise ConfigError(
                    f"workers have no setting {quoted(setting)}; {near(setting, known)}"
                )
        try:
            return cls.model_validate({**settings, **address})
        except ValidationError as e:
            wrong = e.errors()[0]
            setting = ".".join(map(str, wrong["loc"]))
            raise ConfigError(f"{quoted(text)}: {setting}: {wrong['msg']}") from None
