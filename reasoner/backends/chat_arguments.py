"""Arguments of a chat template, such as `enable_thinking`, checked against the template's variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reasoner.errors import ConfigError
from reasoner.naming import near, quoted

OWN = frozenset(
    {"messages", "conversation", "chat_template", "tokenize", "add_generation_prompt"}
    | {"continue_final_message", "return_tensors", "return_dict", "bos_token", "eos_token"}
)
"""The arguments that are set for every prompt, or that are no variables of templates."""


def check_chat_arguments(arguments: Mapping[str, Any], tokenizer: Any) -> None:
    """Raise for arguments that the chat template of `tokenizer` does not read: it would ignore them.

    Raises:
        ConfigError: there is no template, or it has no such variable.
    """
    if not arguments:
        return
    if not tokenizer.chat_template:
        raise ConfigError(
            "chat_template_kwargs is for a model with a chat template; this one has none"
        )
    variables = _variables(str(tokenizer.chat_template))
    for name in arguments:
        if name in OWN:
            raise ConfigError(f"chat_template_kwargs: {quoted(name)} is set by reasoner")
        if variables is not None and name not in variables:
            hint = near(name, sorted(variables - OWN))
            raise ConfigError(f"the chat template has no variable {quoted(name)}; {hint}")


def _variables(template: str) -> set[str] | None:
    """Return the variables that a template reads; None if it is not plain Jinja."""
    from jinja2 import Environment, TemplateSyntaxError, meta

    environment = Environment(extensions=["jinja2.ext.loopcontrols"], autoescape=True)
    try:
        return set(meta.find_undeclared_variables(environment.parse(template)))
    except TemplateSyntaxError:
        return None
