"""Gives a pid that is free to a process that has nothing to do with whoever had it: reuse_pid.py PID

Prints "taken" when a child has it, which ends with 9 on SIGTERM, and with this program at the latest; "not taken" if
somebody else has it. The kernel is asked for this very pid (clone3(2), set_tid): with the next free one, as
/proc/sys/kernel/ns_last_pid has it, a thread of another program could be faster.
"""

import ctypes
import os
import signal
import sys
import time

TRIES = 500
PAUSE_SECONDS = 0.01
PR_SET_PDEATHSIG = 1
SYS_CLONE3 = 435  # on every architecture

wanted = int(sys.argv[1])
libc = ctypes.CDLL(None)
libc.syscall.restype = ctypes.c_long


class CloneArgs(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "flags",
            "pidfd",
            "child_tid",
            "parent_tid",
            "exit_signal",
            "stack",
            "stack_size",
            "tls",
            "set_tid",
            "set_tid_size",
        )
    ]


def child():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
    print("taken", flush=True)
    while True:
        signal.pause()


tids = (ctypes.c_int * 1)(wanted)
args = CloneArgs(exit_signal=signal.SIGCHLD, set_tid=ctypes.addressof(tids), set_tid_size=1)
for _ in range(TRIES):
    pid = libc.syscall(ctypes.c_long(SYS_CLONE3), ctypes.byref(args), ctypes.c_size_t(ctypes.sizeof(args)))
    if pid == 0:
        child()
    if pid == wanted:
        os.waitpid(pid, 0)
        break
    time.sleep(PAUSE_SECONDS)  # it may not be free yet
else:
    print("not taken", flush=True)
