"""Gives a pid that is free to a process that has nothing to do with whoever had it: reuse_pid.py PID

Prints "taken" when a child has it, which ends with 9 on SIGTERM, and with this program at the latest. Other programs
fork, too, so there are some tries; after these it prints "not taken" and ends.
"""

import ctypes
import os
import signal
import sys

TRIES = 2000
PR_SET_PDEATHSIG = 1

wanted = int(sys.argv[1])


def child():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
    print("taken", flush=True)
    while True:
        signal.pause()


for _ in range(TRIES):
    # The kernel gives the next free pid after this one.
    with open("/proc/sys/kernel/ns_last_pid", "w") as last:
        last.write(str(wanted - 1))
    pid = os.fork()
    if pid == 0:
        if os.getpid() == wanted:
            child()
        os._exit(0)
    os.waitpid(pid, 0)
    if pid == wanted:
        break
else:
    print("not taken", flush=True)
