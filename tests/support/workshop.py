"""A whole runner of its own for a test: state, allowlists, wrappers, a real Redis, a real sandbox.

``Workshop.run`` takes a script and runs it as a job by the way that the program itself uses:
admission, job folder, store, claim, mirror, checkout, sandbox, record.
"""

import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import yaml

from runner.adapters.job_folders import JobFolder
from runner.adapters.job_store import JobStore
from runner.adapters.record_files import published_schema
from runner.adapters.rq_queue import RedisClient, RqQueue
from runner.adapters.signing import trusted_keys
from runner.bootstrap import Runner
from runner.flows.execute import execute
from runner.flows.submit import plan_for, submit
from runner.flows.verify import verify
from runner.model.artifact import Artifact
from runner.model.job import JobRequest
from runner.model.sandbox import Stop
from runner.model.verification import Verdict, Verification
from runner.settings import load_settings
from tests.support.git_repos import git, make_repo

TREE = {
    "README.md": "a repository\n",
    "src/app.py": "print('app')\n",
    "tests/test_app.py": "def test_app():\n    assert True\n",
    "run.sh": "echo from the tree\n",
}


class Workshop:
    """One installation in ``folder``, which every uid must be able to pass."""

    def __init__(self, folder: Path, client: RedisClient, *, backend: str, **settings: str) -> None:
        self.folder = folder
        self.client = client
        self.configs = folder / "configs"
        self.wrappers = folder / "wrappers"
        for made in (self.configs, self.wrappers):
            made.mkdir()
            made.chmod(0o755)
        self.repo = make_repo(folder / "repo", files=TREE)
        self.sha = git(self.repo, "rev-parse", "HEAD")
        self.job_types: dict[str, dict[str, object]] = {}
        (self.configs / "repo_allowlist.yaml").write_text("version: 1\nrepos: {}\n")
        level = {"none": "0"}.get(backend, "2")
        self.environment = {
            "AIOPS_STATE_DIR": str(folder / "state"),
            "AIOPS_CONFIG_DIR": str(self.configs),
            "AIOPS_WRAPPERS_DIR": str(self.wrappers),
            "AIOPS_SANDBOX_BACKENDS": backend,
            "AIOPS_SANDBOX_MIN_LEVEL": level,
            "AIOPS_TERM_GRACE_S": "0.5",
            **settings,
        }
        self.runner = Runner(load_settings(self.environment, uid=os.getuid()))
        self.store = JobStore(client, prefix=f"workshop-{folder.name}")
        self.add("echo", "echo hello")

    def close(self) -> None:
        """Ends what the runner started."""
        self.runner.close()

    def add(self, name: str, script: str, **fields: object) -> None:
        """Puts a job type on the allowlist whose wrapper is ``script``.

        A script that begins with ``#!python`` is Python and runs with the runner's interpreter.
        """
        if script.startswith("#!python"):
            (self.wrappers / f"{name}.py").write_text(script.partition("\n")[2])
            script = f'exec "$AIOPS_PYTHON" -I "$AIOPS_WRAPPERS/{name}.py"'
            fields.setdefault("needs_python", True)
        wrapper = self.wrappers / f"{name}.sh"
        wrapper.write_text(f"#!/bin/bash\n{script}\n")
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        self.job_types[name] = {
            "argv": [f"wrappers/{name}.sh"],
            "timeout_s": 30,
            **fields,
        }
        (self.configs / "job_allowlist.yaml").write_text(
            yaml.safe_dump({"version": 1, "jobs": self.job_types})
        )

    def allow(self, name: str, **fields: object) -> None:
        """Puts a repository on the allowlist, instead of any other."""
        content = {"version": 1, "repos": {name: fields}}
        (self.configs / "repo_allowlist.yaml").write_text(yaml.safe_dump(content))

    def submit(
        self,
        name: str,
        *,
        sha: str | None = None,
        params: Mapping[str, str] | None = None,
        repo: Path | None = None,
        listed: str | None = None,
    ) -> JobFolder:
        """Has a job of type ``name`` accepted.

        On the workshop's own repository, on another one at the path ``repo``, or on the one that
        the allowlist calls ``listed``.
        """
        request = JobRequest(
            job_type=name,
            repo_name=listed or "repo",
            sha=sha or self.sha,
            params=dict(params or {}),
        )
        plan = plan_for(
            request,
            self.runner.catalog_now(),
            now=datetime.now(UTC),
            randomness=os.urandom(16),
            local_path=None if listed else str(repo or self.repo),
        )
        queue = RqQueue(self.client, f"workshop-{plan.job_id}")
        submit(plan, folders=self.runner.folders, store=self.store, queue=queue)
        return self.runner.folders.open(plan.job_id)

    def execute(
        self,
        folder: JobFolder,
        *,
        stop: Stop | None = None,
        interrupted: Callable[[], Stop | None] | None = None,
        **equipment: object,
    ) -> Artifact:
        """Runs an accepted job in this thread, with parts of the equipment replaced; its record.

        ``stop``, or what ``interrupted`` answers, ends the job once its own code has begun.
        """
        ask = interrupted or (lambda: stop)
        artifact = self.try_execute(
            folder, lambda: ask() if folder.stdout.exists() else None, **equipment
        )
        assert artifact is not None
        return artifact

    def try_execute(
        self,
        folder: JobFolder,
        interrupted: Callable[[], Stop | None] = lambda: None,
        **equipment: object,
    ) -> Artifact | None:
        """Likewise; null if the job isn't there to be run."""
        return execute(
            folder.job_id,
            replace(self.runner.equipment(self.store), **equipment),  # type: ignore[arg-type]
            worker="workshop",
            interrupted=interrupted,
        )

    def verify(self, job_id: str) -> Verification:
        """What ``runner verify`` finds out about a job."""
        folder = self.runner.folders.open(job_id).path
        return verify(folder, trusted_keys(self.runner.paths.trust, ()))

    def checked(self, job_id: str) -> Artifact:
        """The sealed record of a job; fails unless it follows its schema and is VALID."""
        folder = self.runner.folders.open(job_id)
        schema = json.loads(published_schema("artifact"))
        record = json.loads((folder.path / "artifact.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(record)
        found = self.verify(job_id)
        assert found.overall is Verdict.VALID, found
        return folder.sealed()

    def check(self, artifact: Artifact) -> None:
        """Fails unless ``artifact`` is what was sealed, and that is valid."""
        assert self.checked(artifact.job_id).model_dump_json() == artifact.model_dump_json()

    def run(
        self,
        script: str,
        *,
        name: str = "attack",
        sha: str | None = None,
        params: Mapping[str, str] | None = None,
        **fields: object,
    ) -> Artifact:
        """Runs ``script`` as a job; its record."""
        self.add(name, script, **fields)
        return self.execute(self.submit(name, sha=sha, params=params))

    def output(self, artifact: Artifact, path: str) -> str:
        """The text of one collected output."""
        folder = self.runner.folders.open(artifact.job_id).path
        return (folder / "outputs" / path).read_text()

    def log(self, artifact: Artifact, stream: str = "stdout") -> str:
        """The text of a log."""
        folder = self.runner.folders.open(artifact.job_id).path
        return (folder / f"{stream}.log").read_text(errors="replace")
