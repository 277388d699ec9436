"""Which files a working tree has added or changed since a git ref."""

from __future__ import annotations

import subprocess
from pathlib import Path

from migrator.exceptions import UsageError


def changed_files(root: Path, ref: str) -> frozenset[Path]:
    """Files that were added or changed since the branch left `ref`, committed or not.

    What has happened on the other branch since then is none of this one's changes. Where the two
    have no common ancestor (a shallow clone), the two trees are compared.

    Args:
        root: A directory of the working tree.
        ref: Any commit as git names it: a branch, a tag, "HEAD~3".

    Returns:
        Resolved paths.

    Raises:
        UsageError: git is not installed, the directory is in no repository, or it knows no
            such ref.
    """
    top = Path(_git(root, "rev-parse", "--show-toplevel", what=f"{root} is in no git repository"))
    commit = _git(
        root,
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{ref}^{{commit}}",
        what=f"git knows no {ref!r} here",
    )
    base = _git(root, "merge-base", commit, "HEAD") or commit
    found = _git(top, "diff", "--name-only", "--no-renames", "--diff-filter=AM", "-z", base, "--")
    new = _git(top, "ls-files", "--others", "--exclude-standard", "-z")
    names = {name for name in (found + "\0" + new).split("\0") if name}
    return frozenset((top / name).resolve() for name in names)


def _git(directory: Path, *arguments: str, what: str = "") -> str:
    """Run git; "" where it fails and nobody says `what` that means."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(directory), *arguments],  # noqa: S607
            capture_output=True,
            check=False,
            text=True,
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise UsageError(
            f"--since asks git what has changed, and git cannot be run: {error.strerror}.",
            hint="Install git, or use --all.",
        ) from error
    if done.returncode and what:
        reason = " ".join(done.stderr.split())
        raise UsageError(
            f"{what}{f' ({reason})' if reason else ''}.",
            hint="A shallow clone may lack it: fetch it first (git fetch origin main; on GitHub, "
            "actions/checkout with fetch-depth: 0).",
        )
    return "" if done.returncode else done.stdout.rstrip("\n")
