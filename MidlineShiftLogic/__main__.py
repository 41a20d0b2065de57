"""``python -m MidlineShiftLogic``: the same as the ``midlineshift`` command."""

from MidlineShiftLogic.cli.main import main

if __name__ == "__main__":
    main()
