"""`--help`: what Hydra's template `conf/config.yaml` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hydra._internal.hydra import Hydra

from vjepa_pipe.commands import COMMANDS
from vjepa_pipe.composition.hydra_loader import SCHEMAS
from vjepa_pipe.composition.resolvers import register_resolver
from vjepa_pipe.config.program import program

TEMPLATE = """\
vjepa_pipe: V-JEPA video experiments as configuration, streamed into training.

Choose from the groups (group=option), then override any setting (group.setting=value):

$APP_CONFIG_GROUPS
Commands, each with its own --help:

{commands}

Examples:

  {program} data=folder 'data.data_paths=[my_videos]'
  {program} data=kinetics data_aug=robotics
  {program} -m data_aug.motion_shift=true,false data_aug.random_erasing=0,0.25
  {program} --cfg job --resolve        # what would run

Flags of ours: --allow NAME lets configs name a class of yours, --plugin FILE.py adds parts of yours. All of Hydra's,
such as --config-dir FOLDER: {program} --hydra-help

The composed experiment:

$CONFIG"""


@contextmanager
def own_help() -> Iterator[None]:
    """In here Hydra prints our help, without the groups that only files name."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {command.help}" for name, command in COMMANDS.items())
    text = TEMPLATE.format(commands=commands, program=program())
    register_resolver("help_text", lambda: text)
    hydra_class: Any = Hydra
    groups = hydra_class.format_config_groups

    def groups_to_choose_from(hydra: Hydra, is_wanted: Callable[[str], bool], compact: bool = True) -> str:
        found: str = groups(hydra, lambda group: is_wanted(group) and group != SCHEMAS, compact)
        return found

    hydra_class.format_config_groups = groups_to_choose_from
    try:
        yield
    finally:
        hydra_class.format_config_groups = groups
