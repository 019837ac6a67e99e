"""Odd overrides by the thousand: what comes of them is an experiment, or one clear message.

    make soak                              # 1,000 lists of overrides
    python tests/fuzz_configs.py 100       # 100
    python tests/fuzz_configs.py 1 345     # that of seed 345

Every list is composed as a notebook does it, and, in turn, printed by `--cfg job` or looked at by `vjepa-pipe check`.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
COUNT, AT_ONCE = 1000, 2
SECONDS = 120  # for one list on a busy machine; longer is a hang
FAULTS = ("traceback", "raw error", "unclear", "hang")
RAW = re.compile(
    r"Traceback|full_key|object_type|reference_type|HYDRA_FULL_ERROR|Error executing job|omegaconf\.|0x[0-9a-f]{9}"
)

HYDRA = (
    "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.searchpath", "hydra.job.name", "hydra.job.chdir",
    "hydra.job.env_set.X", "hydra.job.config.override_dirname.kv_sep", "hydra.verbose", "hydra.mode", "hydra.callbacks",
    "hydra.callbacks.x._target_", "hydra.job_logging", "hydra.job_logging.root.level", "hydra.hydra_logging",
    "hydra.output_subdir", "hydra.launcher", "hydra.launcher._target_", "hydra.launcher.n_jobs", "hydra.sweeper.params",
    "hydra.sweeper.samples", "hydra.help.template", "hydra.runtime.output_dir", "hydra.runtime.choices",
    "hydra.overrides.task", "hydra/launcher", "hydra/sweeper", "hydra/job_logging", "hydra", "hydra.nothing",
)  # fmt: skip
OTHERS = (
    "experiment",
    "legacy",
    "legacy_unknown",
    "sweep.points",
    "sweep.samples",
    "schema",
    "schema@data",
    "defaults",
)
INTERPOLATIONS = (
    "${SELF}", "${.LAST}", "a${SELF}b", "[${SELF}]", "{a: ${SELF}}", "${data.nothing}", "${nothing}", "${nothing:1}",
    "${oc.env:NO_SUCH_VARIABLE}", "${oc.env:NO_SUCH_VARIABLE,null}", "${oc.env:}", "${oc.env}", "${oc.decode:'[1'}",
    "'${oc.decode:[1}'", "${oc.decode:${name}}", "${oc.create:[1,2]}", "${oc.create:{a: 1}}", "${oc.select:data.x,3}",
    "${oc.select:}", "${oc.deprecated:seed}", "${oc.deprecated:nothing}", "${oc.dict.keys:data}",
    "${oc.dict.values:seed}", "${oc.dict.keys:nothing}", "${", "'${'", "${}", "'${}'", "${.}", "${..}", "${...a}",
    "${......seed}", "${a", "'${a'", "$${a}", "\\${a}", "${data}", "${mask}", "[${data}]", "${hydra:runtime.cwd}",
    "${hydra:nothing}", "${hydra:}", "${hydra.job.name}", "${hydra.nothing}", "${now:%Y}", "${now:}",
    "${experiment_id:}", "${experiment_id:1}", "${launched:}", "${launched:1,2}", "${seed}${", "'${seed}${'",
    "${oc.env:${oc.env:X}}", "${data.${name}}", "${data[${seed}]}", "${data[0]}", "${data[}", "${seed.x}",
    "${name.x.y}", "${data.data_paths.0}", "${data.data_paths[99]}", "${:}", "${ seed }", "${seed }", "${SEED}", "${é}",
    "${a b}", "${nothing:{}}", "${nothing:[}", "${oc.env:HOME,}", "${name}" * 300,
    "${" * 50 + "}" * 50, "${oc.decode:" * 50 + "1" + "}" * 50, "'" + "${" * 50 + "seed" + "}" * 50 + "'",
)  # fmt: skip
VALUES = (
    "", " ", "[", "]", "{", "}", "{a:}", "{:}", "{a", "[1,2", "[1,,2]", "(1", ")", "a,b", "1,2,3", ",", "[]", "{}",
    "range(1,3)", "range(1,1000000000)", "range(1,2,0)", "range()", "range(a,b)", "choice(a,b)", "choice()",
    "sort(3,1)", "sort([1,a])", "shuffle(range(10))", "glob(*)", "glob()", "glob(1)", "interval(0,1)", "interval(1,0)",
    "tag(x,choice(1))", "int(abc)", "int(1e999)", "int(nan)", "float('x')", "str([1])", "json_str({a:1})", "bool(3)",
    "extend_list(1)", "extend_list(a=1)", "extend_list", "unknown(1)", "int(" * 30 + "1" + ")" * 30, "'", '"', "'a",
    '"a', "\\", "\\'", "a\\", "a b", "a\tb", "a\nb", "a\n  b: c", "\x00", "\x1b[31m", "[/b]", "[red]", "[bold", "é",
    "漢字", "\u202eabc", "\udc80", "'\udc80'", "\U0001f600", "null", "'null'", "???", "'???'", "nan", "-nan", "inf",
    "-inf", "1e999", "1e-320", "-0", "9" * 40, "-" + "9" * 40, "9" * 5000, "0x10", "1_000", "1__0", "0777", "1.", ".5",
    "1e5", "true", "yes", "~", "!!python/name:os.system", "{_target_: os.system}", "{_partial_: true}", "{_args_: [1]}",
    "{_recursive_: 3}", "{_convert_: all}", "{a: {b: {c: 1}}}", "[" * 60 + "]" * 60, "{a: " * 60 + "1" + "}" * 60,
    "[[],[[]]]", "{1: 2}", "{null: 1}", "{true: 1}", "{1.5: 1}", "{'': 1}", "{a.b: 1}", "{'a.b': 1}", "{a: 1, a: 2}",
    "[1,a,null,{a: 1}]", "[null]", "[[1]]", "[1.5]", "[true]", "@", "%", "=", "a=b", "==", "x" * 5000, ":", "a:b", "/",
    "../x", "a/../../b", "/etc", "pkg://nothing", "[pkg://nothing]", "[file:///nothing]", "file:///", "none", "default",
    "[none]", "[tube,none]", "[nothing]", "0", "1", "2", "-1", "3", "16", "0.5", "8", "100000", "1e-9", "#", "a#b", "*",
    "$", "$x", "`x`", ";", "&", "|", "<", ">", "?", "!", "^",
)  # fmt: skip
WORDS = (
    "",
    " ",
    "=",
    "==",
    "=1",
    "+",
    "++",
    "~",
    "+=1",
    "~=",
    "@=1",
    "a@b@c=1",
    "/=1",
    "a//b=1",
    "[=1",
    "é",
    "\x00=1",
    "\udc80=1",
    "abc",
)


class Outcome(NamedTuple):
    """What came of one list of overrides."""

    seed: int
    way: str
    result: str
    detail: str
    overrides: list[str]


class Hang(BaseException):
    """Not an Exception: nothing may catch it."""


@cache
def names() -> tuple[str, ...]:
    """Every setting of some experiments, every node above one, every group, and what is Hydra's."""
    from vjepa_pipe import compose
    from vjepa_pipe.composition.options import groups
    from vjepa_pipe.composition.snapshot import plain
    from vjepa_pipe.config.tree import leaves

    found: dict[str, None] = {}
    for words in (
        [],
        ["data=webvid"],
        ["data=epic_kitchens"],
        ["mask=tube", "decoder=torchcodec"],
        ["experiment=vjepa2_ac_droid"],
        ["task=index"],
    ):
        for path, _ in leaves(plain(compose(words))):
            while path:
                found[path] = None
                path = path.rpartition(".")[0]
    return (*found, *groups())


def overrides_of(seed: int) -> list[str]:
    """One to four overrides, most of them odd, always the same for a seed."""
    chance = random.Random(seed)
    return [override(chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))]


def override(chance: random.Random) -> str:
    from vjepa_pipe.composition.options import group_options, groups

    kind = chance.random()
    if kind < 0.04:
        return chance.choice(WORDS)
    if kind < 0.12:
        group = chance.choice(groups())
        return f"{mark(chance)}{group}{package(chance)}={chance.choice([*group_options(group), 'nothing', 'null'])}"
    name = chance.choice(HYDRA if kind < 0.25 else OTHERS if kind < 0.3 else names())
    key = chance.choice(odd_keys(name, chance)) if chance.random() < 0.1 else name
    text = chance.choice(INTERPOLATIONS if chance.random() < 0.4 else VALUES)
    text = text.replace("SELF", name.replace("/", ".")).replace("LAST", name.rpartition(".")[2])
    sign = mark(chance)
    return f"{sign}{key}" if sign == "~" and chance.random() < 0.5 else f"{sign}{key}={text}"


def mark(chance: random.Random) -> str:
    return chance.choice(("", "", "", "", "", "", "+", "++", "~", "+~", "+++", "-", "~~"))


def package(chance: random.Random) -> str:
    return chance.choice(
        ("", "", "@x", "@data:x", "@_global_", "@_here_", "@", "@:", "@x.y.z", "@data:", "@é", "@_group_")
    )


def odd_keys(name: str, chance: random.Random) -> list[str]:
    place = chance.randrange(len(name))
    return [
        name[:place] + name[place + 1 :], name[:place] + chance.choice(".@/[] é_:,{'$") + name[place:], f"{name}.x",
        f"{name}._target_", f"{name}.__class__", f"{name}.", f".{name}", f"{name}..x", f"{name}[0]", f"{name}.0",
        f"{name}@x", f"{name}@x:y", f"{name}/x", f"/{name}", f" {name}", f"{name} ", name.upper(),
        name * 30, "a." * 200 + "b",
    ]  # fmt: skip


def outcomes(seed: int) -> list[Outcome]:
    """What comes of a seed's overrides, in two ways."""
    overrides = overrides_of(seed)
    ways = {"compose": composed, ("cfg" if seed % 2 else "check"): printed if seed % 2 else checked}
    found = []
    for way, tried in ways.items():
        try:
            with at_most(SECONDS):
                result, detail = tried(overrides)
        except Hang:
            result, detail = "hang", ""
        found.append(Outcome(seed, way, result, detail, overrides))
    return found


def composed(overrides: Sequence[str]) -> tuple[str, str]:
    from vjepa_pipe import ConfigError, compose
    from vjepa_pipe.config.errors import UserError
    from vjepa_pipe.config.experiment import ExperimentConfig

    try:
        found = compose(overrides)
    except ConfigError as error:
        return clear(list(error.faults))
    except UserError as error:
        return clear([str(error)])
    except Exception as error:
        return "raw error", f"{type(error).__name__}: {error}"
    return ("composed" if isinstance(found, ExperimentConfig) else "raw error"), ""


def printed(overrides: Sequence[str]) -> tuple[str, str]:
    status, _, err = command([*overrides, "--cfg", "job"])
    return said(status, err)


def checked(overrides: Sequence[str]) -> tuple[str, str]:
    status, out, err = command(["check", *overrides])
    return said(status, err or out)


def command(arguments: Sequence[str]) -> tuple[Any, str, str]:
    """Exit status and output of the program, in this process. Output is encoded as on a terminal."""
    from vjepa_pipe.cli import main

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    before = sys.argv
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status: Any = main(list(arguments))
    except SystemExit as end:
        status = end.code
    except Exception as error:
        return type(error).__name__, "", f"Traceback: {error}"
    finally:
        sys.argv = before
    return status, *(stream.buffer.getvalue().decode() for stream in (out, err))


def said(status: Any, text: str) -> tuple[str, str]:
    if status == 0:
        return "composed", ""
    if "Traceback" in text:
        return "traceback", text[-1500:]
    if status not in (1, 2):
        return "unclear", f"status {status}: {text[-1500:]}"
    return clear(text.splitlines() or [""])


def clear(lines: list[str]) -> tuple[str, str]:
    """Whether these are messages for a person: lines without what is inside Hydra and OmegaConf."""
    for line in lines:
        if not line.strip() or len(line.splitlines()) > 1 or RAW.search(line):
            return "unclear", line[:1500]
    return "refused", lines[0]


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main(count: int, first: int = 0) -> int:
    """Try the overrides of some seeds; the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["VJEPA_PIPE_CACHE"] = str(Path(folder, "cache"))
        with ProcessPoolExecutor(AT_ONCE) as pool:
            found = [one for some in pool.map(outcomes, range(first, first + count), chunksize=10) for one in some]
        os.chdir(HERE)
    print(f"{count} lists of overrides: {dict(Counter(f'{one.way} {one.result}' for one in found))}")
    for one in found:
        if one.result in FAULTS or count == 1:
            print(*(repr(part)[:2000] for part in one))
    return int(any(one.result in FAULTS for one in found))


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    sys.exit(main(*(map(int, sys.argv[1:]) if len(sys.argv) > 1 else [COUNT])))
