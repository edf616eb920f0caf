"""Becomes a program as a service manager does that hands things over: hand_over.py FILE SIGNALS PROGRAM ARGUMENT...

Descriptor 3 and 9 read FILE, each on its own; LISTEN_FDS and LISTEN_PID say whom they are for. SIGNALS are words like
ignore=CHLD and block=USR1, joined by commas; every other signal is as a process has it that nobody meddled with. The
environment is Tardis's settings and little else: the program may print it, and others are none of its business.
"""

import os
import signal
import sys

passed, words, *command = sys.argv[1:]
for number in 9, 3:
    descriptor = os.open(passed, os.O_RDONLY)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.set_inheritable(number, True)
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_DFL)
for word in filter(None, words.split(",")):
    act, name = word.split("=")
    number = signal.Signals["SIG" + name]
    if act == "ignore":
        signal.signal(number, signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})
for name in list(os.environ):
    if name not in ("PATH", "HOME", "JAVA_HOME", "COLOUR") and not name.startswith("TARDIS_"):
        del os.environ[name]
os.umask(0o027)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(command[0], command)
