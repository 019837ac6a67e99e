"""Registries: decorators, entry points, and what goes wrong with either."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vjepa_pipe.config import registry
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.registry import (
    BrokenEntryPoint,
    Registry,
    frame_rule_of,
    get_sampling_policy,
    get_video_dataset,
    list_sampling_policies,
    list_video_datasets,
    register_sampling_policy,
    register_video_dataset,
)


@pytest.fixture(autouse=True)
def registrations_end_with_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    for kept in (registry._datasets, registry._policies):
        monkeypatch.setattr(kept, "_loaded", dict(kept._loaded))
    monkeypatch.setattr(registry, "_frame_rules", dict(registry._frame_rules))


def halves(duration_s: float, fps: float, min_frames: int, max_frames: int) -> list[float]:
    return [0.0, duration_s / 2]


def test_ours_are_listed() -> None:
    assert list_video_datasets() == ["webvid", "webvid_original"]
    assert list_sampling_policies() == ["uniform", "molmo2", "fps", "duration"]


def test_names_are_the_functions_themselves() -> None:
    from vjepa_pipe.datasets.webvid import build_webvid
    from vjepa_pipe.video.clips.policies import sample_timestamps

    assert get_sampling_policy("uniform") is sample_timestamps
    assert get_video_dataset("webvid") is build_webvid


def test_decorators_return_what_they_register() -> None:
    assert register_sampling_policy("halves", frame_rule="on_show")(halves) is halves
    assert (get_sampling_policy("halves"), frame_rule_of("halves")) == (halves, "on_show")
    assert register_video_dataset("halves")(halves) is halves
    assert list_video_datasets()[-1] == list_sampling_policies()[-1] == "halves"


def test_a_taken_name_is_refused() -> None:
    registry_of_tests: Registry[int] = Registry("a", "vjepa_pipe.tests", {})
    registry_of_tests.register("n", 1)
    with pytest.raises(ValueError, match=r"^a/n is already registered$"):
        registry_of_tests.register("n", 2)
    assert registry_of_tests.register("n", 2, override=True) == registry_of_tests.get("n") == 2


@pytest.mark.parametrize("name", ["uniform", "molmo2"])
def test_our_names_are_taken_before_they_are_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._policies, "_loaded", {})
    with pytest.raises(ValueError, match=f"sampling_policy/{name} is already registered"):
        register_sampling_policy(name)(halves)
    register_sampling_policy(name, override=True)(halves)
    assert get_sampling_policy(name) is halves


def test_unknown_names() -> None:
    with pytest.raises(KeyError) as error:
        get_sampling_policy("bogus")
    assert str(error.value) == ("Unknown sampling_policy: 'bogus'. Available: ['uniform', 'molmo2', 'fps', 'duration']")
    with pytest.raises(KeyError, match=r"Unknown video_dataset: 'bogus'. Available: \['webvid', 'webvid_original'\]"):
        get_video_dataset("bogus")
    assert isinstance(error.value, UserError)


def test_unknown_frame_rule() -> None:
    with pytest.raises(ValueError, match=r"frame_rule must be one of at_or_after, on_show \(got 'nearest'\)"):
        register_sampling_policy("halves", frame_rule="nearest")


def offer(folder: Path, monkeypatch: pytest.MonkeyPatch, package: str, entry_points: str, code: str = "") -> None:
    """An installed package: its metadata and one module."""
    info = folder / f"{package}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[vjepa_pipe.sampling_policies]\n{entry_points}\n")
    (folder / f"{package}.py").write_text(code)
    monkeypatch.syspath_prepend(folder)


def test_a_package_offers_a_policy_that_is_imported_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "def ends(duration_s, fps, min_frames, max_frames):\n    return [0.0, duration_s]\n"
    offer(tmp_path, monkeypatch, "offers_ends", "ends = offers_ends:ends", code)
    assert "ends" in list_sampling_policies()
    assert "offers_ends" not in sys.modules
    assert get_sampling_policy("ends")(3.0, 1, 1, 2) == [0.0, 3.0]
    assert frame_rule_of("ends") == "at_or_after"


def test_a_package_may_use_the_decorator_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from vjepa_pipe import register_sampling_policy\n\n"
        "@register_sampling_policy('first', frame_rule='on_show')\n"
        "def first(duration_s, fps, min_frames, max_frames):\n    return [0.0]\n"
    )
    offer(tmp_path, monkeypatch, "offers_first", "first = offers_first:first", code)
    assert get_sampling_policy("first")(3.0, 1, 1, 2) == [0.0]
    assert frame_rule_of("first") == "on_show"


def test_an_entry_point_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, monkeypatch, "broken_one", "broken = broken_one:policy", "import no_such_module\n")
    assert "broken" in list_sampling_policies()
    with pytest.raises(BrokenEntryPoint) as error:
        get_sampling_policy("broken")
    assert str(error.value) == (
        "sampling_policy/broken: entry point broken_one:policy of broken_one 1.2 cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert get_sampling_policy("uniform")


def test_an_entry_point_that_names_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, monkeypatch, "empty_one", "gone = empty_one:policy")
    with pytest.raises(BrokenEntryPoint, match=r"empty_one:policy of empty_one 1.2 cannot be imported: Attr"):
        get_sampling_policy("gone")


def test_two_offers_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, monkeypatch, "second_uniform", "uniform = second_uniform:policy")
    with pytest.raises(BrokenEntryPoint, match=r"offered twice .*sample_timestamps and second_uniform:policy"):
        list_sampling_policies()
