"""Pins every dependency anew: requirements.lock by uv, package-lock.json by npm."""

from __future__ import annotations

import sys

from set_up import ROOT, get_uv, task
from steps import Failure, say


def main() -> int:
    """Write both lock files; commit them together with what changed."""
    step = task("lock")
    inputs = ("--universal", "--all-extras", "--group", "dev", "--generate-hashes")
    # No address of any index goes into the file: a clone works with the index its user has.
    plain = ("--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links")
    try:
        say("[lock] requirements.lock")
        output = ("-o", str(ROOT / "requirements.lock"))
        step.run(get_uv(), "pip", "compile", "-q", "pyproject.toml", *inputs, *plain, *output, cwd=ROOT)
        say("[lock] package-lock.json")
        step.run("npm", "install", "--package-lock-only", "--ignore-scripts", "--no-progress", cwd=ROOT)
    except Failure as failure:
        say(f"not locked: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
