"""The examples as far as a machine can try them: a repository lives through days of its workflow,
with stand-ins."""

from __future__ import annotations

import gzip
import re
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from digest.demo.papers import Day, three_days
from digest.store import open_store
from tests.web.test_serve import running
from tests.world.github_server import TOKEN, GithubServer, Refuse, github
from tests.world.mail_servers import free_port
from tests.world.smtp_server import smtp_server
from tests.world.standin import ScriptedAnswer, Standin
from tests.world.threads import in_a_thread
from tests.world.workflow import Expression, Run, Runner

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TEMPLATE = EXAMPLES / "github-actions"
WORKFLOW = TEMPLATE / ".github" / "workflows" / "daily-papers.yml"
COMPOSE = EXAMPLES / "docker" / "compose.yaml"
REPOSITORY = "ada/papers"
DAYS = three_days(date(2026, 11, 1))
THURSDAY, FRIDAY, SATURDAY = DAYS
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
TOOLS = ("git", "jq", "curl")
needs_tools = pytest.mark.skipif(
    FAKETIME is None or not all(map(shutil.which, TOOLS)),
    reason="git, jq, curl and libfaketime are needed",
)


def git(*arguments: str, at: Path) -> str:
    return subprocess.run(
        ["git", *arguments],
        cwd=at,
        check=True,
        capture_output=True,
        text=True,
        errors="surrogateescape",
    ).stdout


AUTHOR = ("-c", "user.name=Ada", "-c", "user.email=ada@users")


def copied(source: Path, target: Path) -> None:
    """Copy what lies in git: no caches, and nothing that a build has left."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        return
    left = shutil.ignore_patterns(
        "__pycache__", "*.egg-info", ".git", ".hypothesis", "build", "looks"
    )
    shutil.copytree(source, target, ignore=left)


def pushed(source: Path, remote: Path) -> Path:
    """Make a bare repository of a folder, from which each commit can be fetched, as on GitHub."""
    git("init", "--quiet", "--bare", "--initial-branch", "main", str(remote), at=source)
    git("config", "uploadpack.allowAnySHA1InWant", "true", at=remote)
    git("init", "--quiet", "--initial-branch", "main", at=source)
    git("add", ".", at=source)
    git(*AUTHOR, "commit", "--quiet", "-m", "Begin", at=source)
    git("push", "--quiet", str(remote), "main", at=source)
    return remote


@dataclass
class Repository:
    """A repository made from the template, on a GitHub and with an arXiv of its own."""

    folder: Path
    server: GithubServer
    arxiv: Standin
    runner: Runner

    @property
    def remote(self) -> Path:
        return self.folder / "remote.git"

    def day(self, day: Day, at: datetime | None = None, **how: dict[str, str]) -> Run:
        """One run of the workflow on that day, with what the index holds then."""
        self.arxiv.serve(day.papers)
        self.server.clock = self.arxiv.clock = lambda: at or day.now
        return self.runner.run(at or day.now, **how)

    def listed(self) -> list[list[str]]:
        """The papers of each issue."""
        return [
            re.findall(r"arxiv\.org/abs/(\S+?)v\d", issue["body"])
            for issue in self.server.issues[REPOSITORY]
        ]

    def titles(self) -> list[str]:
        return [issue["title"] for issue in self.server.issues[REPOSITORY]]

    def show(self, what: str) -> str:
        return git("show", what, at=self.remote)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    source = tmp_path / "source"
    source.mkdir()
    for name in (".github", "subscribers.yaml"):
        copied(TEMPLATE / name, source / name)
    remote = pushed(source, tmp_path / "remote.git")
    program = tmp_path / "program"
    copied(TEMPLATE, program / "examples" / "github-actions")
    elsewhere = pushed(program, tmp_path / "program.git")
    with in_a_thread(github) as server, Standin() as arxiv:
        assert FAKETIME is not None
        runner = Runner(
            workflow=WORKFLOW,
            folder=tmp_path,
            remote=remote,
            api=server.url,
            token=TOKEN,
            faketime=FAKETIME,
            machine={"DIGEST_ARXIV_API": arxiv.url, "DIGEST_ARXIV_DELAY": "0"},
            vars={
                "DIGEST_REPOSITORY": "ada/digest",
                "DIGEST_COMMIT": git("rev-parse", "main", at=elsewhere).strip(),
            },
            elsewhere={"ada/digest": elsewhere},
        )
        yield Repository(tmp_path, server, arxiv, runner)


# -- what the files say


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("schema", "file"), [("github-workflows", WORKFLOW), ("compose-spec", COMPOSE)]
)
def test_the_files_fit_the_schemas_of_what_reads_them(schema: str, file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", f"vendor.{schema}", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actions_are_pinned_and_jobs_may_do_no_more_than_they_need() -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    plan = YAML(typ="safe", pure=True).load(text)
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    for action in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v[0-9.]+", action), action
    jobs = plan["jobs"]
    assert plan["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "digest": {"contents": "read", "issues": "write"},
        "save": {"contents": "write"},
        "site": {"pages": "write", "id-token": "write"},
        "after": {"actions": "write", "issues": "write"},
    }
    assert plan["concurrency"] == {"group": "daily-papers", "cancel-in-progress": False}
    steps = [step for job in jobs.values() for step in job["steps"]]
    # What others may choose never becomes a part of a script.
    assert not [step["name"] for step in steps if "${{" in step.get("run", "")]
    # Nothing that came from elsewhere runs where something can be pushed.
    runs = " ".join(step.get("run", "") for step in jobs["save"]["steps"])
    assert not re.search(r"\b(pip|python3?|digest (?!db)|curl|npm)\b", runs)
    assert [
        job["steps"][0]["with"].get("persist-credentials")
        for job in jobs.values()
        if "checkout" in job["steps"][0].get("uses", "")
    ] == [False, True]


def test_secrets_are_known_to_the_steps_that_need_them_alone() -> None:
    plan = YAML(typ="safe", pure=True).load(WORKFLOW.read_text(encoding="utf-8"))
    known = {
        (step["name"], name)
        for job in plan["jobs"].values()
        for step in job["steps"]
        for name, value in step.get("env", {}).items()
        if "secrets." in str(value)
    }
    readers = {"DIGEST_SUBSCRIBERS_YAML", "DIGEST_SECRET"}
    mail = {"DIGEST_MAIL", "DIGEST_MAIL_PASSWORD", "DIGEST_FROM", "DIGEST_CONTACT"}
    assert known == {
        *(("Fetch and notify", name) for name in readers | mail),
        *(("Write the page", name) for name in readers),
        *(("Write the site", name) for name in readers),
    }
    # Of the job only whether there is one.
    layers = [plan["env"], *(job.get("env", {}) for job in plan["jobs"].values())]
    wider = [str(value) for layer in layers for value in layer.values() if "secrets." in str(value)]
    assert wider == ["${{ secrets.DIGEST_SUBSCRIBERS_YAML != '' }}"]


def test_what_is_installed_has_a_hash_and_is_what_the_program_needs() -> None:
    text = (TEMPLATE / "requirements.txt").read_text(encoding="utf-8")
    pinned = {}
    for entry in re.sub(r"^#.*$", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines():
        if entry.strip():
            requirement, *hashes = entry.split("--hash=")
            assert hashes, entry
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64} *", each) for each in hashes), entry
            name, _, version = requirement.partition(";")[0].strip().partition("==")
            pinned[canonicalize_name(name)] = version.strip()
    wanted = ConfigParser()
    wanted.read(EXAMPLES.parent / "setup.cfg", encoding="utf-8")
    needed = wanted["options"]["install_requires"].split()
    for requirement in map(Requirement, [*needed, "setuptools>=77"]):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement
    run = next(
        step["run"]
        for step in YAML(typ="safe", pure=True).load(WORKFLOW.read_text())["jobs"]["digest"][
            "steps"
        ]
        if step["name"] == "Install"
    )
    assert "--require-hashes" in run
    assert re.findall(r"^ *\$pip (?!--require-hashes|--no-index)", run, re.MULTILINE) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("vars.A || 'b c'", "b c"),
        ("vars.B || 'b c'", "given"),
        ("always() && steps.one.outcome == 'success'", True),
        ("!cancelled() && steps.two.outcome == 'success'", False),
        ("!(success() || failure())", False),
        ("secrets.NONE", ""),
        ("secrets.NONE != ''", False),
        ("vars.B != '' && 'there' || '.'", "there"),
        ("vars.A != '' && 'there' || '.'", "."),
        ("steps.one.outcome != 'success'", False),
    ],
)
def test_the_runner_reads_githubs_expressions(text: str, value: object) -> None:
    contexts = {"vars": {"B": "given"}, "secrets": {}, "steps": {"one": {"outcome": "success"}}}
    status = {"success": True, "failure": False, "cancelled": False, "always": True}
    assert Expression(text, contexts, status).value() == value


def test_the_image_is_small_and_runs_as_nobody_in_particular() -> None:
    folder = EXAMPLES / "docker"
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER digest$", last, re.MULTILINE)
    assert last.index("useradd") < last.index("\nUSER") < last.index("\nENTRYPOINT")
    assert re.search(r"^HEALTHCHECK .* CMD digest status .*\|\| exit 1$", last, re.MULTILINE)
    assert re.search(r"^VOLUME /data$", last, re.MULTILINE)
    kept = re.findall(
        r"^!(.+)$", (folder / "Dockerfile.dockerignore").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [name for name in kept if not (EXAMPLES.parent / name).exists()] == []
    services = YAML(typ="safe", pure=True).load(COMPOSE)["services"]
    build = services["digest"]["build"]
    context = (folder / build["context"]).resolve()
    assert context == EXAMPLES.parent
    assert (context / build["dockerfile"]).is_file()
    assert services.keys() == {"digest", "web"}
    for service in services.values():
        assert service["image"] == "digest"
        assert service["read_only"]
        assert service["volumes"] == ["data:/data"]


@pytest.mark.heavy
def test_the_containers_web_side_says_whether_it_is_well(tmp_path: Path) -> None:
    web = YAML(typ="safe", pure=True).load(COMPOSE)["services"]["web"]
    assert web["ports"] == ["127.0.0.1:8080:8080"]
    command, (_, _, *ask) = web["command"], web["healthcheck"]["test"]
    port = free_port()
    ask = [word.replace(":8080", f":{port}") for word in ask]
    assert command == ["serve", "--listen", "0.0.0.0:8080"]

    def is_well() -> bool:
        done = subprocess.run([sys.executable, *ask], capture_output=True, check=False, timeout=30)
        return done.returncode == 0

    with open_store(tmp_path / "digest.db"):
        pass
    assert not is_well()
    with running(tmp_path, command[0], port=port):
        assert is_well()


def test_the_line_for_cron_mails_a_digest_and_says_nothing(tmp_path: Path) -> None:
    lines = (EXAMPLES / "cron" / "crontab").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line and line[0] not in "#M"]
    command = line.split(maxsplit=5)[5]
    assert "%" not in command, "cron takes it for the end of the line"
    home = tmp_path / ".local" / "share" / "digest"
    program = tmp_path / ".local" / "bin" / "digest"
    home.mkdir(parents=True)
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m digest "$@"\n')
    program.chmod(0o755)
    (home / "subscribers.yaml").write_text(
        "subscribers: [{email: ada@example.org, keywords: [reward model]}]\n"
    )
    with Standin(THURSDAY.papers) as arxiv:
        environment = {
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "DIGEST_ARXIV_API": arxiv.url,
        }
        subprocess.run(
            ["/bin/sh", "-c", command], env=environment, cwd=tmp_path, check=True, timeout=60
        )
    assert len(list((home / "mail" / "new").iterdir())) == 1
    said = (home / "digest.log").read_text(encoding="utf-8").splitlines()
    assert [line for line in said if "a new database was made" not in line] == []


# -- days of a repository


@pytest.mark.heavy
@needs_tools
def test_each_day_brings_what_is_new_and_a_quiet_one_says_why(repository: Repository) -> None:
    first = repository.day(THURSDAY)
    assert not first.failed, first.log
    assert first.outcome("Write the site") == first.outcome("Hand the site over") == "skipped"
    assert "install --no-index --no-deps --no-build-isolation ./program" in first.log
    [began] = repository.listed()
    assert began
    page = repository.show("main:README.md")
    assert page.count("| **[") >= len(began)
    assert git("rev-list", "--count", "digest-data", at=repository.remote) == "1\n"
    assert repository.server.enabled == ["daily-papers.yml"]

    second = repository.day(FRIDAY)
    assert not second.failed, second.log
    _, news = repository.listed()
    assert news
    assert not set(news) & set(began)
    assert (
        repository.titles()[1]
        == f"Latest Papers - {FRIDAY.now:%B} {FRIDAY.now.day}, {FRIDAY.now.year}"
    )
    assert repository.show("main:README.md") != page
    assert "1 sent" in second.summary

    commits = git("rev-list", "--count", "main", at=repository.remote)
    third = repository.day(SATURDAY)
    assert not third.failed, third.log
    assert len(repository.listed()) == 2
    assert "No digest was due" in third.summary
    assert "nothing is announced on Friday and Saturday evenings" in third.summary
    assert git("rev-list", "--count", "main", at=repository.remote) == commits, (
        "the page did not change"
    )
    assert git("rev-list", "--count", "digest-data", at=repository.remote) == "1\n"


@pytest.mark.heavy
@needs_tools
def test_a_site_is_shown_where_it_is_wanted_and_something_is_public(
    repository: Repository,
) -> None:
    site = repository.folder / "site"
    repository.runner.vars["SITE"] = "yes"
    first = repository.day(THURSDAY)
    assert first.outcome("Write the site") == "failure"
    assert "no keyword is public" in first.log
    assert first.outcome("Hand over") == "success"
    assert not site.exists()
    public = "echo 'public: all' >> subscribers.yaml"
    second = repository.day(FRIDAY, before={"Fetch and notify": public})
    assert not second.failed, second.log
    assert second.outcome("Show the site") == "success"
    assert "Reward Model" in (site / "index.html").read_text(encoding="utf-8")
    assert (site / "keyword" / "reward-model.atom").is_file()
    assert [each.name for each in site.iterdir() if each.name.startswith(".")] == []


@pytest.mark.heavy
@needs_tools
def test_a_working_day_without_a_match_says_so(repository: Repository) -> None:
    assert not repository.day(THURSDAY).failed
    run = repository.day(THURSDAY, FRIDAY.now)
    assert not run.failed, run.log
    assert len(repository.listed()) == 1
    assert "Reward Model: 0 new" in run.summary
    assert "no match that is new" in run.summary


@pytest.mark.heavy
@needs_tools
def test_a_step_that_fails_keeps_no_other_from_saving_the_database(repository: Repository) -> None:
    hook = repository.remote / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ]\n')
    hook.chmod(0o755)
    run = repository.day(THURSDAY)
    assert run.outcome("Save the page") == "failure"
    assert run.outcome("Save the database") == "success"
    assert repository.titles()[1:] == ["The daily papers could not be fetched"]
    hook.unlink()
    again = repository.day(FRIDAY)
    assert not again.failed, again.log
    began, _, news = repository.listed()
    assert not set(news) & set(began)


@pytest.mark.heavy
@needs_tools
def test_what_somebody_pushed_meanwhile_is_kept(repository: Repository) -> None:
    source = repository.folder / "source"
    edit = (
        f"cd {source} && unset LD_PRELOAD && echo '# more' >> subscribers.yaml"
        f" && git commit --quiet -am More && git push --quiet {repository.remote} main"
    )
    run = repository.day(THURSDAY, before={"Save the page": edit})
    assert not run.failed, run.log
    assert repository.show("main:subscribers.yaml").endswith("# more\n")
    assert "| **[" in repository.show("main:README.md")


@pytest.mark.heavy
@needs_tools
def test_an_older_database_never_takes_the_place_of_a_newer_one(repository: Repository) -> None:
    """As where failed jobs are run again on another day: what the later run mailed would be
    forgotten."""
    repository.day(THURSDAY)
    newer = (
        f"cd {repository.folder / 'source'} && unset LD_PRELOAD"
        f" && git push --quiet --force {repository.remote} main:refs/heads/digest-data"
    )
    run = repository.day(FRIDAY, before={"Save the database": newer})
    assert run.outcome("Save the database") == "failure"
    assert "a later run has saved its own" in run.log
    saved = git("rev-parse", "digest-data", at=repository.remote)
    assert saved == git("rev-parse", "main", at=repository.folder / "source")


@pytest.mark.heavy
@needs_tools
def test_a_run_that_fails_tells_so_once_and_the_papers_come_later(repository: Repository) -> None:
    repository.arxiv.on_query = lambda _params: ScriptedAnswer(503, b"")
    title = "The daily papers could not be fetched"
    assert repository.day(THURSDAY).failed
    assert repository.titles() == [title]
    # However many issues stand open in between, the one that is there is found.
    issue = repository.server.issues[REPOSITORY][0]
    repository.server.issues[REPOSITORY] += [{**issue, "title": f"another {n}"} for n in range(130)]
    run = repository.day(FRIDAY)
    assert run.outcome("Save the database") == "success"
    assert repository.titles().count(title) == 1
    repository.arxiv.on_query = None
    repository.server.issues[REPOSITORY].clear()
    assert not repository.day(SATURDAY).failed
    assert len(repository.listed()[0]) > 10


@pytest.mark.heavy
@needs_tools
def test_without_its_database_nothing_is_posted_and_nothing_saved(repository: Repository) -> None:
    repository.day(THURSDAY)
    saved = git("rev-parse", "digest-data", at=repository.remote)
    run = repository.day(
        FRIDAY, before={"Fetch the database": "git remote set-url origin file:///nowhere"}
    )
    assert run.outcome("Fetch the database") == "failure"
    assert "could not be looked for" in run.log
    for name in ("Fetch and notify", "Write the page", "Hand over"):
        assert run.outcome(name) == "skipped"
    assert not [step for step in run.steps if step.job == "save"]
    assert git("rev-parse", "digest-data", at=repository.remote) == saved
    assert repository.titles()[1:] == ["The daily papers could not be fetched"]


@pytest.mark.heavy
@needs_tools
def test_a_refused_issue_fails_the_run_and_comes_with_the_next_one(repository: Repository) -> None:
    repository.server.next["POST"] = [Refuse(403, "Resource not accessible by integration")]
    run = repository.day(THURSDAY)
    assert run.outcome("Fetch and notify") == "failure"
    assert "Issues: read and write" in run.log
    assert run.outcome("Write the page") == "success"
    assert repository.titles() == ["The daily papers could not be fetched"]
    assert not repository.day(FRIDAY).failed
    assert len(repository.listed()) == 2


# -- as README.md says
# ----------------------------------------------------------------------------------


def told_commands() -> str:
    """The commands that README.md tells, word for word."""
    text = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^       (\S.*)$", text, re.MULTILINE))


def forked(repository: Repository) -> None:
    """Do what README.md says in a clone of one's own copy of the program's repository."""
    project, clone = repository.folder / "project", repository.folder / "clone"
    copied(EXAMPLES.parent, project)
    shutil.rmtree(repository.remote)
    pushed(project, repository.remote)
    git("clone", "--quiet", f"file://{repository.remote}", str(clone), at=repository.folder)
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(repository.folder),
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@users",
        "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@users",
    }  # fmt: skip
    subprocess.run(["bash", "-euc", told_commands()], cwd=clone, env=environment, check=True)
    repository.runner.vars.clear()
    repository.runner.elsewhere.clear()
    repository.runner.workflow = clone / ".github" / "workflows" / "daily-papers.yml"


@pytest.mark.heavy
@needs_tools
def test_a_fork_does_as_the_readme_says_word_for_word_and_installs_by_hash(
    repository: Repository,
) -> None:
    forked(repository)
    repository.runner.installs = True
    repository.runner.vars["PAGE"] = "pages/PAPERS.md"
    run = repository.day(THURSDAY)
    assert not run.failed, run.log
    assert "Requirement already satisfied" not in run.log
    assert repository.listed()[0]
    assert "| **[" in repository.show("main:pages/PAPERS.md")
    assert repository.show("main:README.md").startswith("# Digest\n")
    kept = (repository.folder / "run-1" / "digest" / "temp" / "venv" / "bin" / "digest").read_text()
    assert "venv/bin/python" in kept.splitlines()[0]


@pytest.mark.heavy
@needs_tools
def test_a_file_with_another_hash_is_not_installed(repository: Repository) -> None:
    forked(repository)
    repository.runner.installs = True
    spoil = "sed -i 's/sha256:./sha256:0/' examples/github-actions/requirements.txt"
    run = repository.day(THURSDAY, before={"Install": spoil})
    assert run.outcome("Install") == "failure"
    assert "DO NOT MATCH THE HASHES" in run.log
    assert run.outcome("Fetch and notify") == "skipped"


@pytest.mark.heavy
@needs_tools
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "the program is not in this repository"),
        ({"DIGEST_REPOSITORY": "ada/digest"}, "by all 40 digits"),
        ({"DIGEST_REPOSITORY": "ada/digest", "DIGEST_COMMIT": "main"}, "by all 40 digits"),
        ({"DIGEST_REPOSITORY": "ada/digest", "DIGEST_COMMIT": "v1.0"}, "by all 40 digits"),
        ({"DIGEST_COMMIT": "0" * 40}, "the program is not in this repository"),
    ],
)
def test_without_a_commit_of_a_repository_nothing_is_installed(
    repository: Repository, variables: dict[str, str], words: str
) -> None:
    repository.runner.vars = variables
    run = repository.day(THURSDAY)
    assert run.outcome("Look where the program is") == "failure"
    assert words in run.log
    assert run.outcome("Install") == "skipped"
    assert repository.titles() == ["The daily papers could not be fetched"]


# -- mail as well

READERS = f"""\
keywords:
  Reward Model: '"reward model" OR "preference model"'
subscribers:
  - github: {REPOSITORY}
    keywords: [Reward Model]
  - email: ada.lovelace@readers.example
    name: Augusta King
    keywords: [Reward Model]
  - email: lin.gone@readers.example
    name: Lin Tester
    keywords: [Reward Model]
"""
SECRETS = {
    "DIGEST_SUBSCRIBERS_YAML": READERS,
    "DIGEST_SECRET": "8d1f-a-long-random-text-4c7e",
    "DIGEST_FROM": "Daily Papers <papers.sender@operator.example>",
    "DIGEST_CONTACT": "write.to.me@operator.example",
}
NEVER = (
    "ada.lovelace",
    "lin.gone",
    "readers.example",
    "Augusta",
    "Lin Tester",
    "papers.sender",
    "write.to.me",
    "8d1f-a-long",
    TOKEN,
)
"""What nobody but the readers and the operator may ever see, in lower case too."""


def refusing(line: str) -> str | None:
    """A server that knows one of the readers no more, and says so as servers do."""
    if "lin.gone" not in line:
        return None
    return "550 5.1.1 <Lin.Gone@readers.example>: Recipient address rejected: lin.gone is unknown"


def everything(path: Path) -> Iterator[tuple[str, str]]:
    """All that a database file holds: each value of each table, compressed ones unpacked, and the
    bytes themselves."""
    yield path.name, path.read_bytes().decode("latin-1")
    with closing(sqlite3.connect(path)) as database:
        for (table,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    text = value
                    if isinstance(value, bytes):
                        with suppress(zlib.error):
                            value = zlib.decompress(value)
                        # Quoted-printable may cut an address into two lines.
                        text = value.decode("latin-1").replace("=\r\n", "").replace("=40", "@")
                    yield table, str(text)


def public(repository: Repository, runs: list[Run]) -> Iterator[tuple[str, str]]:
    """All that strangers can see: each object of the repository, the database in it, logs,
    summaries, issues."""
    listed = git(
        "cat-file", "--batch-check", "--batch-all-objects", at=repository.remote
    ).splitlines()
    for number, line in enumerate(listed):
        name, kind, _ = line.split(" ")
        content = subprocess.run(
            ["git", "cat-file", kind, name], cwd=repository.remote, check=True, capture_output=True
        ).stdout
        yield f"{kind} {name}", content.decode("latin-1")
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        if content.startswith(b"SQLite format 3"):
            file = repository.folder / f"object-{number}.db"
            file.write_bytes(content)
            yield from everything(file)
    for run in runs:
        yield "log", run.log
        yield "summary", run.summary
    for issue in repository.server.issues[REPOSITORY]:
        yield "issue", f"{issue['title']}\n{issue['body']}"


def leaks(found: Iterator[tuple[str, str]]) -> list[str]:
    return [
        f"{word} in {where}: …{text[max(place - 80, 0) : place + 80]!r}"
        for where, text in found
        for word in NEVER
        if (place := text.lower().find(word.lower())) >= 0
    ]


@pytest.mark.heavy
@needs_tools
def test_with_mail_on_nothing_that_strangers_see_tells_who_reads(repository: Repository) -> None:
    with in_a_thread(lambda: smtp_server({"RCPT": refusing})) as mail:
        repository.runner.secrets = {**SECRETS, "DIGEST_MAIL": mail.url}
        first = repository.day(THURSDAY)
        second = repository.day(FRIDAY)
    assert [message.recipient for message in mail.messages] == ["ada.lovelace@readers.example"] * 2
    assert b"write.to.me@operator.example" in mail.messages[0].data
    assert len(repository.listed()) == 3  # two days, and one that tells of the refusal
    assert first.outcome("Fetch and notify") == "failure"
    assert "given up: reader:" in first.log
    assert not second.failed, second.log
    found = list(public(repository, [first, second]))
    assert {"subscriber", "content", "run", "log", "issue"} <= {where for where, _ in found}
    assert leaks(iter(found)) == []


@pytest.mark.heavy
@needs_tools
@pytest.mark.parametrize("private", [False, True])
def test_addresses_in_a_file_are_worked_with_only_where_nobody_else_reads(
    repository: Repository, private: bool
) -> None:
    source = repository.folder / "source"
    (source / "subscribers.yaml").write_text(READERS)
    git(*AUTHOR, "commit", "--quiet", "-am", "Readers", at=source)
    git("push", "--quiet", str(repository.remote), "main", at=source)
    if private:
        repository.server.private.add(REPOSITORY)
    with in_a_thread(smtp_server) as mail:
        names = ("DIGEST_FROM", "DIGEST_CONTACT")
        repository.runner.secrets = {
            **{name: SECRETS[name] for name in names},
            "DIGEST_MAIL": mail.url,
        }
        run = repository.day(THURSDAY)
    assert len(mail.messages) == (2 if private else 0)
    assert run.failed is not private
    assert ("ada/papers is public" in run.log) is not private
    assert leaks(iter([("log", run.log), ("summary", run.summary)])) == []
    branches = git("branch", "--list", "digest-data", at=repository.remote)
    assert bool(branches) is private


@pytest.mark.heavy
@needs_tools
def test_a_database_that_knew_addresses_forgets_them_and_not_the_history(
    repository: Repository,
) -> None:
    home = repository.folder / "home"
    home.mkdir()
    (home / "subscribers.yaml").write_text(READERS)
    plain = {
        key: value for key, value in SECRETS.items() if key in ("DIGEST_FROM", "DIGEST_CONTACT")
    }
    with in_a_thread(lambda: smtp_server({"RCPT": refusing})) as mail:
        repository.arxiv.serve(THURSDAY.papers)
        environment = {
            **repository.runner.machine,
            **plain,
            "DIGEST_MAIL": mail.url,
            "DIGEST_HOME": str(home),
        }
        environment |= {"DIGEST_GITHUB_API": repository.server.url, "DIGEST_GITHUB_TOKEN": TOKEN}
        command = [
            sys.executable,
            "-m",
            "digest",
            "run",
            "--quiet",
            "--now",
            THURSDAY.now.isoformat(),
        ]
        subprocess.run(
            command, env={"PATH": "/usr/bin:/bin", **environment}, check=False, capture_output=True
        )
        assert leaks(everything(home / "digest.db")), "before, the addresses are there"
        saved = repository.folder / "digest.db.gz"
        saved.write_bytes(gzip.compress((home / "digest.db").read_bytes()))
        blob = git("hash-object", "-w", str(saved), at=repository.remote).strip()
        made = subprocess.run(
            ["git", "mktree"], cwd=repository.remote, input=f"100644 blob {blob}\tdigest.db.gz\n",
            text=True, capture_output=True, check=True,
        )  # fmt: skip
        commit = git(
            *AUTHOR, "commit-tree", made.stdout.strip(), "-m", "Before", at=repository.remote
        ).strip()
        git("update-ref", "refs/heads/digest-data", commit, at=repository.remote)
        before = len(mail.messages)

        repository.runner.secrets = {**SECRETS, "DIGEST_MAIL": mail.url}
        run = repository.day(FRIDAY)
    assert not run.failed, run.log
    sent = [message.data.decode() for message in mail.messages[before:]]
    assert len(sent) == 1
    began, news = repository.listed()
    assert not set(news) & set(began)
    assert not [paper for paper in began if paper in sent[0]], (
        "what was mailed under the address comes again"
    )
    git("reflog", "expire", "--all", "--expire=now", at=repository.remote)
    git("gc", "--quiet", "--prune=now", at=repository.remote)
    assert leaks(public(repository, [run])) == []
