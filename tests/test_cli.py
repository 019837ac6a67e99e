"""What the command line says to words that it cannot take."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_task import TARGET

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.cli import main
from vjepa_pipe.commands import COMMANDS
from vjepa_pipe.config import targets


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("words", "message"), [
    (["--resolve"], "config error: --resolve needs --cfg job"),
    (["--resolve", "seed=1"], "config error: --resolve needs --cfg job"),
    (["--experimental-rerun", "x.pickle"], "config error: --experimental-rerun is not offered: python launch.py rerun"),
    (["--allow"], "config error: --allow needs a name"),
    (["shwo"], "config error: shwo is not a command (did you mean show?)"),
    (["chekc", "seed=1"], "config error: chekc is not a command (did you mean check?)"),
    (["-m", "seed=range(1,1000000000)"], "config error: a sweep must have at most 100000 points (got 999999999 of"),
    (["name=../../x"], "config error: name must be a folder below outputs/, without '..' (got '../../x')"),
    (["name=/tmp/x"], "config error: name must be a folder below outputs/"),
    (["data.source_names=[a/b]"], "config error: data.source_names must be plain names, without '/' (got 'a/b')"),
    (["data.source_names=['..']"], "config error: data.source_names must be plain names, without '/' (got '..')"),
    (["name=${nothing}"], "config error: name"),
])  # fmt: skip
def test_one_clear_line(words: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith(message) and len(said.splitlines()) == 1
    assert not list(here.iterdir())


def test_a_fault_of_images_is_printed_as_theirs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it was raised from names them as videos."""
    words = ["data=synthetic_small", "data.num_videos=2", "data.batch_size=1", "image=folder"]
    assert main([*words, "image.data.data_paths=[nope]", f"data.cache_dir={here}/cache"]) == 2
    assert capsys.readouterr().err.startswith("config error: image.data.data_paths[0]: nope does not exist")


def test_a_fault_that_two_overrides_have_is_said_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image.data.batch_size=2", "image.data.img_size=64"]) == 2
    assert capsys.readouterr().err.startswith("config error: image.data is not a setting")


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said and command.help in said for name, command in COMMANDS.items())
    assert "\ndata: csv, " in said and "\nschema: " not in said


@pytest.mark.parametrize(("started_as", "program"), [
    ("/home/me/.venv/bin/vjepa-pipe", "vjepa-pipe"),
    ("/lib/python3.11/site-packages/vjepa_pipe/__main__.py", "python -m vjepa_pipe"),
    ("launch.py", "python launch.py"),
])  # fmt: skip
def test_messages_name_the_program_that_was_typed(
    started_as: str, program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [started_as])
    said = []
    assert main(["seed=1,2"]) == main(["sweep.samples=3"]) == 2
    said.append(capsys.readouterr().err.replace(f"needs -m: {program} -m ...", "", 2))
    for words in (["--help"], ["show", "--help"]):
        with pytest.raises(SystemExit, match="0"):
            main(words)
        said.append(capsys.readouterr().out.replace(f"{program} ", ""))
    assert main(["ls", "mask"]) == 0
    said.append(" ".join(capsys.readouterr().out.split()).replace(f"{program} mask=none", ""))
    assert not any("launch.py" in text or "vjepa-pipe" in text for text in said[:3]), said
    assert "launch.py mask=none" not in said[3]


def test_a_class_of_the_user_stands_where_it_is_allowed(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(targets, "_allowed", [])
    assert main([TARGET]) == 2
    said = capsys.readouterr().err
    assert said.startswith("config error: task._target_: toy_task.run is not an allowed target") and "--allow" in said
    assert main(["--allow", "toy_task.other", TARGET]) == 2
    assert not list(here.rglob("ran.txt"))
    assert main(["--allow", "toy_task.run", TARGET]) == 0
    assert len(list(here.rglob("ran.txt"))) == 1


def test_a_text_is_no_list_of_overrides() -> None:
    with pytest.raises(ConfigError, match=r"compose takes a list of overrides: compose\(\['data=synthetic'\]\)"):
        compose("data=synthetic")


@pytest.mark.parametrize("value", [
    "${nothing}", "${data.nothing}", "${nothing:1}", "${oc.env:NO_SUCH_VARIABLE}", "'${'", "'${}'", "${...name}",
    "${name}", "${data.clip_mode.x}", "${data}", "${oc.decode:'[1'}", "'${data[}'",
])  # fmt: skip
def test_bad_interpolations(value: str) -> None:
    with pytest.raises(ConfigError) as error:
        compose([f"name={value}"])
    for fault in error.value.faults:
        assert fault.startswith(("name", "data")) and "full_key" not in fault


@pytest.mark.parametrize(("arguments", "words"), [
    (["-m", "--cfg", "job"], "-m and --cfg cannot be given together"),
    (["+mask.masks.more.num_blocks=2"], "a config file can"),
    (["-m", "data.target_fsp=4", "seed=1,2"], "data.target_fsp is not a setting (did you mean data.target_fps?)"),
    (["-m", "data.data_paths=[a", "seed=1,2"], "[a is not a value that Hydra can read"),
    (["data.extra_args.colour=red"], "+data.extra_args.colour=red adds it"),
])  # fmt: skip
def test_what_hydra_refuses_is_a_clear_message(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("config error: ") and words in said and "Traceback" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("text", "fault"), [
    ("defaults: [{override /data: '${oc.env:NO_SUCH}'}]", "{file}: defaults: ${oc.env:NO_SUCH} stands for nothing"),
    ("data: {source_names: ['${nope']}", "{file}: data.source_names: ['${nope'] is no interpolation"),
    ("data: {target_fps: '${data.nope}'}", "x/experiment/mine.yaml:2: data.target_fps: Interpolation key 'data.nope'"),
    ("name: ${oc.env:NO_SUCH}", "x/experiment/mine.yaml:2: name: \"Environment variable 'NO_SUCH' not found\""),
])  # fmt: skip
def test_an_interpolation_of_nothing_is_named_with_its_file(
    text: str, fault: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = here / "x" / "experiment" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"# @package _global_\n{text}\n")
    assert main(["--config-dir", "x", "experiment=mine"]) == 2
    assert capsys.readouterr().err.startswith(f"config error: {fault.replace('{file}', str(file))}")


def test_a_fault_is_named_whichever_way_the_folder_is_given(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = here / "x" / "experiment" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\nname: mine\n")
    assert main(["--config-dir=x", "experiment=mine", "data.batch_size=x"]) == 2
    assert capsys.readouterr().err == "config error: data.batch_size must be a whole number (got 'x')\n"
    assert main(["--config-dir", "y", "experiment=mine"]) == 2
    assert capsys.readouterr().err == "config error: the config folder y does not exist\n"


def test_an_interpolation_of_nothing_in_hydras_settings_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hydra.run.dir=${nope}/x"]) == 2
    assert capsys.readouterr().err == "config error: hydra.run.dir: Interpolation key 'nope' not found\n"


@pytest.mark.parametrize(("line", "offered"), [
    ("data.clip_mode=", ["data.clip_mode=fps", "data.clip_mode=duration", "data.clip_mode=frame_step"]),
    ("-m sweep.samples=3 data.clip_mode=fps,d", ["data.clip_mode=fps,duration"]),
    ("decoder=torchcodec decoder.seek_mode=a", ["decoder.seek_mode=approximate"]),
    ("data_aug.horizontal_flip=", ["data_aug.horizontal_flip=true", "data_aug.horizontal_flip=false"]),
    ("-m sweep.sa", ["sweep.sampler=", "sweep.samples="]),
    ("-m sweep.sampler=r", ["sweep.sampler=random"]),
    ("sche", ["schema"]),
    ("seed=1 sche", []),
    ("show data=fo", ["data=folder"]),
    ("data=nothing data.clip_mode=f", ["data.clip_mode=fps", "data.clip_mode=frame_step"]),
    ("mask.patch_size=", ["mask.patch_size=16"]),
    ("image=synthetic data@im", ["data@image.data="]),
    ("mask@image.mask=tube,multiblock2", ["mask@image.mask=tube,multiblock2d"]),
])  # fmt: skip
def test_tab_completion(
    line: str, offered: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", f"vjepa-pipe {line}")
    assert main(["-sc", "query=bash"]) == 0
    assert capsys.readouterr().out.split() == offered
