"""Become a command that ends with its parent, also if the parent is killed.

Started as ``python -m flatbed.app.demo.child PARENT COMMAND…``. Linux only, as the embedded
server is; elsewhere the command merely outlives a killed parent.
"""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Ask the kernel for a SIGTERM when the parent is gone, and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)  # it was gone before we asked
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, without a shell


if __name__ == "__main__":
    main()
