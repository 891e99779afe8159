"""Arguments of the projects commands."""

from typing import Any

from service.cli import arguments as kinds
from service.cli.command_table import COMMANDS
from service.cli.commands import add_command, add_group
from service.cli.projects import change, deletion, options, settings_file, show, values


def add(verbs: Any) -> None:
    words = add_group(verbs, "projects", COMMANDS["projects"].text)
    create = add_command(words, "create", change.create, "create a project")
    create.add_argument("id", type=values.project_id, help="1 to 36 of a-z A-Z 0-9 . _ -")
    create.add_argument(
        "--name", type=kinds.name, help="Name of the app, in letters and on pages; the id if not given."
    )
    add_command(words, "list", show.list_projects, "list all projects")
    add_command(words, "show", show.show_project, "show one project").add_argument("id")
    changed = add_command(words, "set", change.change_settings, "change a project's settings")
    changed.add_argument("id")
    options.add(changed)
    settings_file.add(words)
    deletion.add(words)
