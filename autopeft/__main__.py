"""`python -m autopeft`: the command, where the script that pip installs is not on the path."""

from autopeft.cli.main import main

if __name__ == "__main__":
    main()
