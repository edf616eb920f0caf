"""Becomes a command that cannot open netlink sockets, as in a sandbox: without_netlink.py COMMAND..."""

import ctypes
import os
import platform
import struct
import sys

SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
AF_NETLINK, EAFNOSUPPORT = 16, 97
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | EAFNOSUPPORT
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2

steps = [
    (LOAD, 0, 0, 0),  # the number of the system call
    (EQUALS, 0, 3, SOCKET),
    (LOAD, 0, 0, 16),  # the lower half of its first argument
    (EQUALS, 0, 1, AF_NETLINK),
    (RETURN, 0, 0, FAIL),
    (RETURN, 0, 0, ALLOW),
]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
header = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(program))
libc = ctypes.CDLL(None, use_errno=True)
for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, FILTER, header, 0, 0)):
    if libc.prctl(*call) != 0:
        sys.exit(f"prctl{call[:2]}: errno {ctypes.get_errno()}")
os.execvp(sys.argv[1], sys.argv[1:])
