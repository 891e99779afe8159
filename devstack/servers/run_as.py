"""User that runs a server, and the folder of its data accordingly: Postgres refuses to be run by root."""

import contextlib
import hashlib
import os
import pwd
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devstack.servers.errors import ServerError
from devstack.servers.folders import folder, root_folder, root_home, write_private


@dataclass(frozen=True, slots=True)
class RunAs:
    """As whom Postgres runs: as its caller, as another uid in a user namespace, or truly as another uid."""

    name: str
    prefix: tuple[str, ...] = ()
    owner: pwd.struct_passwd | None = None


def choose_account() -> RunAs:
    if os.geteuid() != 0:
        return RunAs("user")
    # initdb looks its uid up, so even inside the namespace it must be that of an account.
    owner = next((entry for entry in map(_account, ("postgres", "nobody")) if entry), None)
    if owner is None:
        raise ServerError("Postgres refuses to run as root, and there is no account postgres or nobody")
    inside = ("unshare", "-U", f"--map-user={owner.pw_uid}", f"--map-group={owner.pw_gid}", "--")
    with contextlib.suppress(FileNotFoundError):
        if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode == 0:
            return RunAs("userns", inside)
    become = (
        "setpriv",
        f"--reuid={owner.pw_uid}",
        f"--regid={owner.pw_gid}",
        "--clear-groups",
        "--inh-caps=-all",
        "--",
    )
    return RunAs("uid", become, owner)


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def home_of(state: Path, guise: RunAs) -> Path:
    """Each guise has a folder of its own, since the owner of the files differs."""
    if guise.owner is None:
        return folder(state / f"postgres-{guise.name}")
    name = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:16]
    return root_folder(root_home() / name)


def give(path: Path, guise: RunAs) -> None:
    if guise.owner:
        os.chown(path, guise.owner.pw_uid, guise.owner.pw_gid)


def password_at(path: Path, guise: RunAs) -> str:
    """Read it, or make one for good."""
    if not path.exists():
        if (path.parent / "data" / "PG_VERSION").exists():
            raise ServerError(f"{path} is gone, and the data beside it can't be opened without it")
        write_private(path, secrets.token_hex(24))
        give(path, guise)
    return path.read_text()
