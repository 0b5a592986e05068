"""``python -m flatbed.app.cli``: the command line without its console script."""

from flatbed.app.cli.main import main

main()
