"""Runs the workflows in .github/workflows locally: every ``run:`` in order, each job in a fresh clone of the project,
with a folder instead of GitHub's artifacts.

    python local.py [FOLDER]

FOLDER, by default a new temporary folder, receives all files; this folder does not change. The packages in
requirements.txt must be installed, because steps named "install" are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
WORKFLOWS = ("reproduce.yml", "deploy.yml")
IGNORED = ("__pycache__", ".pytest_cache", "data", "run", "live", "evaluation", "tmp", "cache", "dvc.lock")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="mlops-")).resolve()
    project = folder / "project"
    shutil.copytree(HERE, project, ignore=shutil.ignore_patterns(*IGNORED))
    identity = ["-c", "user.name=local", "-c", "user.email=local@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-qm", "Add the project"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    for name in WORKFLOWS:
        workflow = YAML(typ="safe").load(project / ".github" / "workflows" / name)
        for job, content in workflow["jobs"].items():
            Job(folder, f"{Path(name).stem}-{job}").run(content["steps"])
    print(f"\nall files are in {folder}")


class Job:
    """A job in its own folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.origin = folder / "project"
        self.artifacts = folder / "artifacts"
        self.folder = folder / name
        self.name = name
        paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        self.environment = {**os.environ, "PATH": os.pathsep.join(paths)}
        self.environment["GITHUB_STEP_SUMMARY"] = str(folder / f"{name}.md")

    def run(self, steps: list[dict[str, Any]]) -> None:
        """Runs all steps. The first that fails ends the program."""
        for step in steps:
            if step.get("name") == "install":
                continue
            if "run" in step:
                print(f"\n== {self.name}: {step.get('name', step['run'])}", flush=True)
                command = ["bash", "-euo", "pipefail", "-c", step["run"]]
                done = subprocess.run(command, cwd=self.folder, env=self.environment, check=False)
                if done.returncode:
                    raise SystemExit(f"local: {self.name} failed in {step['run']!r}")
            else:
                self.use(step["uses"].partition("@")[0], step.get("with", {}))

    def use(self, action: str, options: dict[str, Any]) -> None:
        """Does what GitHub's own actions do for these workflows."""
        if action == "actions/checkout":
            subprocess.run(["git", "clone", "-q", str(self.origin), str(self.folder)], check=True)
        elif action == "actions/upload-artifact":
            for path in options["path"].split():
                shutil.copytree(self.folder / path, self.artifacts / options["name"] / path)
        elif action == "actions/download-artifact":
            shutil.copytree(self.artifacts / options["name"], self.folder, dirs_exist_ok=True)
        elif action != "actions/setup-python":
            raise SystemExit(f"local: the action {action} is not supported")


if __name__ == "__main__":
    main()
