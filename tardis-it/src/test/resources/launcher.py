"""Sends what the launcher sends to the daemon: launcher.py SOCKET FIELD...

Prints "connected", and then the steps of the reply, each by its letter.
"""

import socket
import struct
import sys

path, fields = sys.argv[1], sys.argv[2:]
daemon = socket.socket(socket.AF_UNIX)
daemon.settimeout(20)
daemon.connect(path)
print("connected", flush=True)
body = b"".join(text.encode() + b"\0" for text in fields)
steps = ""
try:
    daemon.sendall(b"TARDIS2\n" + struct.pack(">I", len(body)) + body)
    while step := daemon.recv(1).decode():
        steps += step
        if step == "W":
            daemon.recv(4)
except ConnectionError:
    pass  # hung up on
print("answered", steps)
