"""Names that a config may use for code: dataset types and sampling policies, ours and other packages'.

Code is registered under a name with a decorator, or by an installed package through an entry point. Listing names
imports nothing; an entry point is imported when its name is first asked for, so `data.dataset_type=mine` works
wherever the package that offers `mine` is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from vjepa_pipe.config.errors import UserError

T = TypeVar("T")


class UnknownName(UserError, KeyError):
    """A name that nothing is registered under."""

    def __str__(self) -> str:
        return str(self.args[0])


class BrokenEntryPoint(UserError):
    """An installed package that offers a name and does not deliver."""


class Registry(Generic[T]):
    """Things of one category, by name.

    Args:
        category: What they are, as messages say it, such as `sampling_policy`.
        group: Entry point group in which packages offer more.
        built_in: Our own: name to `module:attribute`, imported like entry points.
    """

    def __init__(self, category: str, group: str, built_in: Mapping[str, str]) -> None:
        self.category = category
        self.group = group
        self._built_in = {name: EntryPoint(name, value, group) for name, value in built_in.items()}
        self._loaded: dict[str, T] = {}

    def register(self, name: str, item: T, *, override: bool = False) -> T:
        """Put `item` under `name` and return it.

        Args:
            name: What configs call it.
            item: The code.
            override: Replace what has the name.

        Raises:
            ValueError: If the name is taken.
        """
        if override and name in self._built_in:
            self.get(name)  # imported now, its module does not take the name back later
        offered = self._offered().get(name)
        taken = name in self._loaded or (offered is not None and offered.module != getattr(item, "__module__", None))
        if taken and not override:
            raise ValueError(f"{self.category}/{name} is already registered")
        self._loaded[name] = item
        return item

    def get(self, name: str) -> T:
        """What is registered under `name`.

        Raises:
            UnknownName: If nothing is; a KeyError.
            BrokenEntryPoint: If an installed package offers the name and it cannot be imported.
        """
        if name not in self._loaded:
            offered = self._offered()
            if name not in offered:
                raise UnknownName(f"Unknown {self.category}: '{name}'. Available: {self.names()}")
            item = self._load(offered[name])
            self._loaded.setdefault(name, item)  # a decorator in its module may have registered it already
        return self._loaded[name]

    def names(self) -> list[str]:
        """Every name: ours first, then those of installed packages, then those registered in this process."""
        return list(dict.fromkeys([*self._offered(), *self._loaded]))

    def _offered(self) -> dict[str, EntryPoint]:
        offered = dict(self._built_in)
        for point in entry_points(group=self.group):
            known = offered.setdefault(point.name, point)
            if known.value != point.value:
                raise BrokenEntryPoint(
                    f"{self.category}/{point.name} is offered twice ({self.group}): {known.value} and {point.value}"
                )
        return offered

    def _load(self, point: EntryPoint) -> T:
        try:
            item: T = point.load()
        except Exception as error:  # an import can fail in any way
            package = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
            raise BrokenEntryPoint(
                f"{self.category}/{point.name}: entry point {point.value}{package} cannot be imported: "
                f"{type(error).__name__}: {error}"
            ) from error
        return item


SamplingPolicy = Callable[[float, float, int, int], list[float]]
"""(duration in seconds, frames per second, fewest frames, most frames) to rising times in [0, duration]."""

DatasetBuilder = Callable[..., Any]
"""(video config, tokenizer path or None, most text tokens, **settings) to a dataset."""

FRAME_RULES = ("at_or_after", "on_show")

_datasets: Registry[DatasetBuilder] = Registry(
    "video_dataset",
    "vjepa_pipe.video_datasets",
    {
        "webvid": "vjepa_pipe.datasets.webvid:build_webvid",
        "webvid_original": "vjepa_pipe.datasets.webvid:build_webvid_original",
    },
)
_policies: Registry[SamplingPolicy] = Registry(
    "sampling_policy",
    "vjepa_pipe.sampling_policies",
    {
        "uniform": "vjepa_pipe.video.clips.policies:sample_timestamps",
        "molmo2": "vjepa_pipe.video.clips.policies:molmo2_timestamps",
        "fps": "vjepa_pipe.video.clips.policies:fps_timestamps",
        "duration": "vjepa_pipe.video.clips.policies:duration_timestamps",
    },
)
_frame_rules: dict[str, str] = {}


def register_video_dataset(name: str, *, override: bool = False) -> Callable[[DatasetBuilder], DatasetBuilder]:
    """Decorate the builder of a dataset type, for `data.dataset_type=NAME`; see `Registry.register`."""
    return lambda builder: _datasets.register(name, builder, override=override)


def get_video_dataset(name: str) -> DatasetBuilder:
    """The builder of a dataset type; see `Registry.get`."""
    return _datasets.get(name)


def list_video_datasets() -> list[str]:
    """Every dataset type."""
    return _datasets.names()


def register_sampling_policy(
    name: str, *, frame_rule: str = "at_or_after", override: bool = False
) -> Callable[[SamplingPolicy], SamplingPolicy]:
    """Decorate a sampling policy, for `data.sampling_policy=NAME`; see `Registry.register`.

    Args:
        name: What configs call it.
        frame_rule: Which frame stands for a time: the first `at_or_after` it, or the one `on_show`.
        override: Replace what has the name.

    Raises:
        ValueError: If the name is taken, or there is no such rule.
    """
    if frame_rule not in FRAME_RULES:
        raise ValueError(f"frame_rule must be one of {', '.join(FRAME_RULES)} (got {frame_rule!r})")

    def register(policy: SamplingPolicy) -> SamplingPolicy:
        _policies.register(name, policy, override=override)
        _frame_rules[name] = frame_rule
        return policy

    return register


def get_sampling_policy(name: str) -> SamplingPolicy:
    """A sampling policy; see `Registry.get`."""
    return _policies.get(name)


def frame_rule_of(name: str) -> str:
    """Which frame stands for a time of this policy; see `register_sampling_policy`."""
    _policies.get(name)
    return _frame_rules.get(name, "at_or_after")


def list_sampling_policies() -> list[str]:
    """Every sampling policy."""
    return _policies.names()
