"""Asks the kernel, and nobody else, whether it reports how processes end: kernel_probe.py

Prints "yes", or "no" and why: what a pidfd says of a grandchild that ended with 42, after its own parent reaped it.
"""

import fcntl
import os
import struct

PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, struct pidfd_info), 64 bytes
PIDFD_INFO_EXIT = 8


def grandchild():
    """The pid of a process that ends with 42 when the second value is closed; the third is its parent."""
    wait, end = os.pipe()
    pid_reader, pid_writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        os.close(end)
        child = os.fork()
        if child == 0:
            os.read(wait, 1)
            os._exit(42)
        os.write(pid_writer, str(child).encode())
        os.waitpid(child, 0)
        os._exit(0)
    return int(os.read(pid_reader, 20)), end, parent


pid, end, parent = grandchild()
try:
    pidfd = os.pidfd_open(pid)
    os.close(end)
    os.waitpid(parent, 0)
    info = fcntl.ioctl(pidfd, PIDFD_GET_INFO, struct.pack("<Q56x", PIDFD_INFO_EXIT))
    mask, status = struct.unpack("<Q52xi", info)
    print("yes" if mask & PIDFD_INFO_EXIT and status == 42 << 8 else f"no: mask {mask:#x}, status {status:#x}")
except OSError as e:
    print(f"no: {e}")
