"""Sits on the path of tardis.sock as another user and answers go to every client: someone_elses_socket.py PATH UID

Prints how many bytes were received on each connection.
"""

import os
import socket
import sys

server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
# The kernel reports to a client which user listened, so what came before may be root's.
os.setuid(int(sys.argv[2]))
server.listen()
print("ready", flush=True)
while True:
    client, _ = server.accept()
    with client:
        try:
            client.sendall(b"WG")
            print("received", len(client.recv(65536)), flush=True)
        except OSError as e:
            print("received 0:", e, flush=True)
