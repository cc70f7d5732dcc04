"""A GitHub Actions runner as far as one workflow of ours needs it: expressions, conditions, and
each step in bash.

It runs a job's steps in order as GitHub's runner does (its documentation, "Workflow syntax",
`shell`, and "Evaluate expressions"). Three things are replaced: the clock, by libfaketime;
`actions/checkout`, by the git commands that it runs; and `pipx`, by a program that notes what it
was to install, since the program under test is installed already.
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
_TOKEN = re.compile(r"\s*(\|\||&&|==|!=|!|\(|\)|'(?:[^']|'')*'|[A-Za-z_][\w.-]*)")


class Expression:
    """Evaluates what this workflow uses of GitHub's expressions: `||`, `&&`, `!`, `==`, texts,
    contexts, status."""

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
        if self._take("=="):
            return str(found).casefold() == str(self._single()).casefold()
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
    """What became of one step: `success`, `failure` or `skipped`."""

    name: str
    outcome: str
    log: str = ""


@dataclass
class Run:
    """One run of the workflow."""

    steps: list[Step]
    summary: str
    workspace: Path

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
    """Runs a workflow's only job, in a new and empty workspace each time.

    `remote` is a bare repository, `machine` what the environment holds beside what GitHub sets;
    `before` are shell commands to be run before the step of that name, to break something.
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
    runs: int = 0

    def run(self, now: datetime, before: dict[str, str] | None = None) -> Run:
        """Run all steps at that time (UTC)."""
        self.runs += 1
        place = self.folder / f"run-{self.runs}"
        workspace, temporary = place / "workspace", place / "temp"
        for folder in (workspace, temporary, place / "home", place / "bin"):
            folder.mkdir(parents=True)
        self._shim(place / "bin" / "pipx")
        (place / "summary").touch()
        plan = YAML(typ="safe", pure=True).load(self.workflow)
        (job,) = plan["jobs"].values()
        github = {
            "workspace": str(workspace),
            "token": self.token,
            "api_url": self.api,
            "repository": self.repository,
        }
        contexts: dict[str, Any] = {
            "github": github,
            "secrets": self.secrets,
            "vars": self.vars,
            "steps": {},
        }
        environment = {**self._environment(now, place, workspace, temporary), **self.machine}
        done: list[Step] = []
        for step in job["steps"]:
            assert set(step) <= STEP_KEYS, f"the runner does not know {set(step) - STEP_KEYS}"
            failed = any(one.outcome == "failure" for one in done)
            status = {"success": not failed, "failure": failed, "cancelled": False, "always": True}
            names = {**environment}
            for layer in (plan.get("env", {}), job.get("env", {}), step.get("env", {})):
                names |= {
                    name: _filled(str(value), contexts, status) for name, value in layer.items()
                }
            done.append(
                self._step(
                    step, contexts, status, names, workspace, (before or {}).get(step["name"], "")
                )
            )
            if "id" in step:
                contexts["steps"][step["id"]] = {"outcome": done[-1].outcome}
        return Run(done, (place / "summary").read_text(encoding="utf-8"), workspace)

    def _step(
        self,
        step: dict[str, Any],
        contexts: dict[str, Any],
        status: dict[str, bool],
        environment: dict[str, str],
        workspace: Path,
        sabotage: str,
    ) -> Step:
        condition = str(step.get("if", "success()")).strip()
        condition = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", condition, flags=re.DOTALL)
        if not any(f"{name}(" in condition for name in STATUS):
            condition = f"success() && ({condition})"
        if not Expression(condition, contexts, status).value():
            return Step(step["name"], "skipped")
        if sabotage:
            subprocess.run(["bash", "-ec", sabotage], cwd=workspace, env=environment, check=True)
        script = workspace.parent / "step.sh"
        if "uses" in step:
            assert step["uses"].startswith("actions/checkout@")
            script.write_text(
                "git init --quiet --initial-branch main .\n"
                f"git remote add origin 'file://{self.remote}'\n"
                "git fetch --quiet --no-tags --depth 1 origin "
                "+refs/heads/main:refs/remotes/origin/main\n"
                "git checkout --quiet -B main refs/remotes/origin/main\n"
            )
        else:
            script.write_text(_filled(step["run"], contexts, status))
        done = subprocess.run(
            [*SHELLS[step.get("shell")], str(script)],
            cwd=workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return Step(step["name"], "failure" if done.returncode else "success", done.stdout)

    def _environment(
        self, now: datetime, place: Path, workspace: Path, temporary: Path
    ) -> dict[str, str]:
        """What GitHub sets ("Default environment variables"), and the clock."""
        return {
            "PATH": os.pathsep.join(
                [str(place / "bin"), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
            ),
            "HOME": str(place / "home"),
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
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TEMP": str(temporary),
            "LD_PRELOAD": str(self.faketime),
            "FAKETIME": f"@{now:%Y-%m-%d %H:%M:%S}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    @staticmethod
    def _shim(path: Path) -> None:
        path.write_text('#!/bin/sh\n[ "$1" = install ] && [ -n "$2" ] && echo "installed $2"\n')
        path.chmod(0o755)


def _filled(text: str, contexts: dict[str, Any], status: dict[str, bool]) -> str:
    """A text with its expressions worked out."""

    def found(match: re.Match[str]) -> str:
        return str(Expression(match[1].strip(), contexts, status).value())

    return re.sub(r"\$\{\{(.*?)\}\}", found, text, flags=re.DOTALL)
