"""Job files: each is checked by a schema, or by running it with commands that say what they get.

`examples/jobs/torchrun.sh` really trains, in `tests/train/test_processes.py`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from latentbloom.cli.main import _Parser, command_module

BASH = shutil.which("bash") or "/bin/bash"
JOBS = Path(__file__).parents[2] / "examples" / "jobs"
TEMPLATES = {  # options of sbatch that the files use, and what they may say
    "job-name": r"[\w-]+",
    "nodes": r"\d+",
    "ntasks": r"\d+",
    "ntasks-per-node": r"\d+",
    "gpus-per-node": r"\d+",
    "gpus-per-task": r"\d+",
    "cpus-per-task": r"\d+",
    "array": r"\d+-\d+",
    "time": r"(\d+-)?\d+:\d\d:\d\d",
    "requeue": None,
    "output": r"[\w%-]+\.log",
}


def accepted(command: str, words: list[str]) -> Any:
    """The options of a command, parsed by it."""
    parser = _Parser(prog="latentbloom", allow_abbrev=False)
    command_module(command).add_arguments(parser)
    return parser.parse_all(words)


def run(job: str, *words: str, place: Path, environment: dict[str, str]) -> list[list[str]]:
    """The command lines that a job ends in; `srun` runs what it is given."""
    said = place / "said"
    for name, body in {
        # More names than a pipe holds: one that reads the first line alone must not end the job.
        "scontrol": "printf 'node%d\\n' {1..20000}",
        "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
        "torchrun": f'printf "%q " "$@" >> {said}; echo >> {said}',
        "latentbloom": f'printf "%q " "$@" >> {said}; echo >> {said}',
    }.items():
        (place / name).write_text(f"#!/bin/bash\n{body}\n")
        (place / name).chmod(0o755)
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [BASH, str(JOBS / job), *words],
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [shlex.split(line) for line in said.read_text().splitlines()]


@pytest.mark.parametrize("job", sorted(path.name for path in JOBS.glob("*.s*")))
def test_bash_can_read_a_job(job: str) -> None:
    done = subprocess.run([BASH, "-n", str(JOBS / job)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("job", sorted(path.name for path in JOBS.glob("*.sbatch")))
def test_directives_come_first_and_are_known(job: str) -> None:
    lines = (JOBS / job).read_text().splitlines()
    code = next(k for k, line in enumerate(lines) if line and not line.startswith("#"))
    found = [line for line in lines if line.startswith("#SBATCH")]
    assert found
    assert all(lines.index(line) < code for line in found), "sbatch reads none after a command"
    for line in found:
        option, _, value = line.removeprefix("#SBATCH --").partition("=")
        pattern = TEMPLATES[option]
        assert value == "" if pattern is None else re.fullmatch(pattern, value), line


def test_slurm_starts_a_process_for_each_gpu(tmp_path: Path) -> None:
    slurm = {"SLURM_JOB_NODELIST": "node[1-2]", "SLURM_NNODES": "2", "SLURM_JOB_ID": "7"}
    slurm |= {"SLURM_GPUS_PER_NODE": "8"}
    (words,) = run(
        "slurm.sbatch", "my pictures", "run", "--seed", "1", place=tmp_path, environment=slurm
    )
    started, command = words[: words.index("-m")], words[words.index("-m") :]
    pairs = dict(zip(started[::2], started[1::2], strict=True))
    assert (pairs["--nnodes"], pairs["--nproc_per_node"]) == ("2", "8")
    assert pairs["--rdzv_endpoint"] == "node1:29500"
    assert command[:3] == ["-m", "latentbloom", "fit"]
    args = accepted("fit", command[3:])
    assert (args.source, args.out) == ("my pictures", Path("run"))


def test_workers_of_an_array_take_a_shard_each(tmp_path: Path) -> None:
    array = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "16"}
    (words,) = run(
        "slurm-samples.sbatch", "run", "out", "1000000", place=tmp_path, environment=array
    )
    args = accepted("sample", words[1:])
    assert (words[0], args.shard, args.n) == ("sample", "3/16", 1_000_000)


def test_the_trainjob_fits_its_schema_and_its_command_is_ours() -> None:
    job = yaml.safe_load((JOBS / "trainjob.yaml").read_text())
    schema = json.loads((Path(__file__).parent / "trainjob.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(job, schema)
    trainer = job["spec"]["trainer"]
    assert trainer["command"] == ["torchrun"]
    assert trainer["args"][:3] == ["-m", "latentbloom", "fit"]
    assert accepted("fit", trainer["args"][3:]).minutes == 600
    for spoil in ({"numNodes": "2"}, {"gpus": 8}, {"args": [600]}):
        wrong = json.loads(json.dumps(job))
        wrong["spec"]["trainer"].update(spoil)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
