"""A GitHub Actions runner as far as one workflow of ours needs it: expressions, conditions, jobs
after each other, and each step in bash.

It runs the steps of each job in order as GitHub's runner does (its documentation, "Workflow
syntax", `shell`, and "Evaluate expressions"), each job in a workspace of its own. Four things are
replaced: the clock, by libfaketime; `actions/checkout`, by the git commands that it runs; the two
actions that hand files from job to job, and the one that shows a site, by copies; and, unless
`installs`, the environment that the program is installed into, by one that notes what it was to
install, since the program under test is installed already.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
STATUS = ("success", "failure", "cancelled", "always")
STEP_KEYS = {"name", "id", "uses", "with", "run", "if", "env", "shell"}
JOB_KEYS = {
    "name", "runs-on", "timeout-minutes", "permissions", "outputs", "env", "steps", "needs", "if",
    "environment",
}  # fmt: skip
_TOKEN = re.compile(r"\s*(\|\||&&|==|!=|!|\(|\)|'(?:[^']|'')*'|[A-Za-z_][\w.-]*)")


class Expression:
    """Evaluates what this workflow uses of GitHub's expressions: `||`, `&&`, `!`, `==`, `!=`,
    texts, contexts, status."""

    def __init__(self, text: str, contexts: dict[str, Any], status: dict[str, bool]) -> None:
        self._tokens = _TOKEN.findall(text)
        assert "".join(self._tokens) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", text), text
        self._contexts, self._status = contexts, status

    def value(self) -> Any:
        """What it comes to."""
        found = self._either()
        assert not self._tokens, self._tokens
        return found

    def _either(self) -> Any:
        found = self._both()
        while self._take("||"):
            other = self._both()
            found = found or other
        return found

    def _both(self) -> Any:
        found = self._equal()
        while self._take("&&"):
            other = self._equal()
            found = found and other
        return found

    def _equal(self) -> Any:
        found = self._single()
        for sign in ("==", "!="):
            if self._take(sign):
                same = _text(found).casefold() == _text(self._single()).casefold()
                return same is (sign == "==")
        return found

    def _single(self) -> Any:
        if self._take("!"):
            return not self._single()
        if self._take("("):
            found = self._either()
            assert self._take(")")
            return found
        token = self._tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token in self._status:
            assert self._take("(")
            assert self._take(")")
            return self._status[token]
        found: Any = self._contexts
        for name in token.split("."):
            found = found.get(name, "") if isinstance(found, dict) else ""
        return found

    def _take(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False


@dataclass
class Step:
    """What became of one step of a job: `success`, `failure` or `skipped`."""

    job: str
    name: str
    outcome: str
    log: str = ""


@dataclass
class Run:
    """One run of the workflow."""

    steps: list[Step]
    summary: str

    @property
    def failed(self) -> bool:
        """Whether the run failed."""
        return any(step.outcome == "failure" for step in self.steps)

    @property
    def log(self) -> str:
        """All that was written in it."""
        return "\n".join(f"== {step.name}: {step.outcome}\n{step.log}" for step in self.steps)

    def outcome(self, name: str) -> str:
        """What became of the step with this name."""
        return next(step.outcome for step in self.steps if step.name == name)


@dataclass
class Runner:
    """Runs a workflow's jobs in the order in which they stand, each in a new and empty workspace.

    `remote` is a bare repository, `machine` what the environment holds beside what GitHub sets,
    `elsewhere` are other repositories by their names; `before` are shell commands to be run before
    the step of that name, to break something.
    """

    workflow: Path
    folder: Path
    remote: Path
    api: str
    token: str
    faketime: Path
    repository: str = "ada/papers"
    machine: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    vars: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, Path] = field(default_factory=dict)
    installs: bool = False
    runs: int = 0

    def run(self, now: datetime, before: dict[str, str] | None = None) -> Run:
        """Run all jobs at that time (UTC)."""
        self.runs += 1
        place = self.folder / f"run-{self.runs}"
        (place / "artifacts").mkdir(parents=True)
        (place / "summary").touch()
        plan = YAML(typ="safe", pure=True).load(self.workflow)
        needs: dict[str, Any] = {}
        done: list[Step] = []
        for name, job in plan["jobs"].items():
            assert set(job) <= JOB_KEYS, f"the runner does not know {set(job) - JOB_KEYS}"
            wanted = job.get("needs", [])
            contexts = {
                "needs": {
                    each: needs[each] for each in ([wanted] if isinstance(wanted, str) else wanted)
                },
                "secrets": self.secrets,
                "vars": self.vars,
            }
            work = _Job(self, name, place, contexts, before or {})
            needs[name] = work.run(plan, job, now)
            done += work.done
        return Run(done, (place / "summary").read_text(encoding="utf-8"))

    def environment(self, now: datetime, place: Path, job: Path) -> dict[str, str]:
        """What GitHub sets ("Default environment variables"), and the clock."""
        return {
            "PATH": os.pathsep.join(
                [str(job / "bin"), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
            ),
            "HOME": str(job / "home"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.api,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_REF_NAME": "main",
            "GITHUB_RUN_ID": str(1000 + self.runs),
            "GITHUB_STEP_SUMMARY": str(place / "summary"),
            "GITHUB_PATH": str(job / "path"),
            "GITHUB_WORKSPACE": str(job / "workspace"),
            "RUNNER_TEMP": str(job / "temp"),
            "LD_PRELOAD": str(self.faketime),
            "FAKETIME": f"@{now:%Y-%m-%d %H:%M:%S}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@dataclass
class _Job:
    """One job at work; `contexts` are those that all its steps know."""

    runner: Runner
    name: str
    place: Path
    contexts: dict[str, Any]
    before: dict[str, str]
    done: list[Step] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.place / self.name

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def run(self, plan: dict[str, Any], job: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Run all steps; returns what other jobs may know of this one."""
        for name in ("workspace", "temp", "home", "bin"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "path").touch()
        if not self.runner.installs:
            self._shim(self.folder / "bin" / "python3")
        self.contexts |= {
            "github": {
                "workspace": str(self.workspace),
                "token": self.runner.token,
                "api_url": self.runner.api,
                "repository": self.runner.repository,
                "ref": "refs/heads/main",
            },
            "runner": {"temp": str(self.folder / "temp")},
            "steps": {},
        }
        failed = any(each["result"] != "success" for each in self.contexts["needs"].values())
        if not self._wanted(job.get("if", "success()"), self._status(failed=failed)):
            return {"result": "skipped", "outputs": {}}
        names = self.runner.environment(now, self.place, self.folder) | self.runner.machine
        for layer in (plan.get("env", {}), job.get("env", {})):
            names |= self._filled(layer)
        for step in job["steps"]:
            assert set(step) <= STEP_KEYS, f"the runner does not know {set(step) - STEP_KEYS}"
            self.contexts["env"] = names
            self.done.append(self._step(step, names | self._filled(step.get("env", {}))))
            if "id" in step:
                self.contexts["steps"][step["id"]] = {"outcome": self.done[-1].outcome}
            added = (self.folder / "path").read_text(encoding="utf-8").split()
            names["PATH"] = os.pathsep.join(dict.fromkeys([*added, *names["PATH"].split(":")]))
        result = "failure" if self._status()["failure"] else "success"
        return {"result": result, "outputs": self._filled(job.get("outputs", {}))}

    def _status(self, *, failed: bool = False) -> dict[str, bool]:
        failed = failed or any(step.outcome == "failure" for step in self.done)
        return {"success": not failed, "failure": failed, "cancelled": False, "always": True}

    def _wanted(self, condition: str, status: dict[str, bool]) -> bool:
        condition = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", str(condition).strip(), flags=re.DOTALL)
        if not any(f"{name}(" in condition for name in STATUS):
            condition = f"success() && ({condition})"
        return bool(Expression(condition, self.contexts, status).value())

    def _filled(self, layer: dict[str, Any]) -> dict[str, str]:
        return {name: _filled(str(value), self.contexts, {}) for name, value in layer.items()}

    def _step(self, step: dict[str, Any], environment: dict[str, str]) -> Step:
        if not self._wanted(step.get("if", "success()"), self._status()):
            return Step(self.name, step["name"], "skipped")
        if sabotage := self.before.get(step["name"]):
            subprocess.run(
                ["bash", "-ec", sabotage], cwd=self.workspace, env=environment, check=True
            )
        script = self.folder / "step.sh"
        text = self._action(step) if "uses" in step else step["run"]
        script.write_text(_filled(text, self.contexts, {}))
        done = subprocess.run(
            [*SHELLS[step.get("shell")], str(script)],
            cwd=self.workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        outcome = "failure" if done.returncode else "success"
        return Step(self.name, step["name"], outcome, done.stdout)

    def _action(self, step: dict[str, Any]) -> str:
        """What an action comes to, as a script."""
        action, given = step["uses"].partition("@")[0], self._filled(step.get("with", {}))
        kept = self.place / "artifacts" / given.get("name", "")
        if action == "actions/upload-artifact":
            return f"cp -r '{given['path']}' '{kept}'\n"
        if action == "actions/download-artifact":
            return f"mkdir -p '{given['path']}' && cp -r '{kept}/.' '{given['path']}'\n"
        if action == "actions/deploy-pages":
            site = self.runner.folder / "site"
            archive = self.place / "artifacts" / "github-pages" / "artifact.tar"
            return f"rm -rf '{site}' && mkdir '{site}' && tar -xf '{archive}' -C '{site}'\n"
        assert action == "actions/checkout", action
        remote = self.runner.remote
        if "repository" in given:
            remote = self.runner.elsewhere[given["repository"]]
        ref = given.get("ref", "").removeprefix("refs/heads/") or "main"
        return (
            f"git init --quiet --initial-branch main {given.get('path', '.')}\n"
            f"cd {given.get('path', '.')}\n"
            f"git remote add origin 'file://{remote}'\n"
            f"git fetch --quiet --no-tags --depth 1 origin {ref}\n"
            "git checkout --quiet -B main FETCH_HEAD\n"
        )

    @staticmethod
    def _shim(path: Path) -> None:
        """A Python whose new environments hold a pip that only tells what it is to do."""
        path.write_text(
            "#!/bin/sh\n"
            f'[ "$1 $2" = "-m venv" ] || exec {sys.executable} "$@"\n'
            'mkdir -p "$3/bin"\n'
            """printf '#!/bin/sh\\necho "pip $*"\\n' > "$3/bin/pip"\n"""
            'chmod +x "$3/bin/pip"\n'
        )
        path.chmod(0o755)


def _text(value: Any) -> str:
    """A value as GitHub writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filled(text: str, contexts: dict[str, Any], status: dict[str, bool]) -> str:
    """A text with its expressions worked out."""

    def found(match: re.Match[str]) -> str:
        return _text(Expression(match[1].strip(), contexts, status).value())

    return re.sub(r"\$\{\{(.*?)\}\}", found, text, flags=re.DOTALL)
