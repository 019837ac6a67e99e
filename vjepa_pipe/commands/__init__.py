"""The subcommands of `vjepa-pipe`, one module each, imported when they are called.

A command is a function of its arguments that returns the exit status. Errors a user can mend are
raised as `UserError` and printed by the command line.
"""

COMMANDS = {
    "ls": "vjepa_pipe.commands.ls:main",
    "show": "vjepa_pipe.commands.show:main",
    "diff": "vjepa_pipe.commands.diff:main",
    "check": "vjepa_pipe.commands.check:main",
    "schema": "vjepa_pipe.commands.schema:main",
    "rerun": "vjepa_pipe.commands.rerun:main",
    "report": "vjepa_pipe.commands.report:main",
    "info": "vjepa_pipe.commands.info:main",
    "legacy": "vjepa_pipe.commands.legacy:audit",
    "export": "vjepa_pipe.commands.legacy:export",
}
"""Name on the command line to `module:function`."""
