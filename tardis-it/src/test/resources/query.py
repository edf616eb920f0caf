"""Asks Tardis: query.py ENDPOINT REQUEST...

Sends each request as it is (its bytes are not looked at) over one REQ socket and prints each answer on a line.
"""

import os
import sys

import keys
import zmq

endpoint, requests = sys.argv[1], sys.argv[2:]
socket = zmq.Context().socket(zmq.REQ)
socket.linger = 0
keys.use(socket)
socket.rcvtimeo = 20_000
socket.connect(endpoint)
for request in requests:
    socket.send(os.fsencode(request))
    print(socket.recv().decode("utf-8"), flush=True)
