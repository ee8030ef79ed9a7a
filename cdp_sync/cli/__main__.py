"""`python -m cdp_sync.cli`, where the command is not installed."""

from cdp_sync.cli import main

main()
