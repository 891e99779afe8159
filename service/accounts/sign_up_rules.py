"""Rules of a project for accounts that clients make. None looks at accounts: no answer tells who has one."""

from service.errors import SignUpClosed
from service.store.projects import Project


def check(project: Project, email: str | None) -> None:
    """Raise SignUpClosed where nobody with this address, or without any, may make an account."""
    if not allows(project, email):
        raise SignUpClosed


def allows(project: Project, email: str | None) -> bool:
    match project.sign_up:
        case "open":
            return True
        case "domains":
            return bool(email) and str(email).rpartition("@")[2] in project.sign_up_domains
    return False
