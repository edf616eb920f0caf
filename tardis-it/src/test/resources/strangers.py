"""Connects again and again with keys that nobody knows: strangers.py EVENTS QUERIES NUMBER SERVER_KEY_FILE

Half of them hang up at once, in whatever step of the greeting they are. Prints how many answers and events they got.
"""

import sys

import zmq
import zmq.auth

events, queries, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
server, _ = zmq.auth.load_certificate(sys.argv[4])
context = zmq.Context()
got = 0
for i in range(number):
    socket = context.socket(zmq.SUB if i % 2 else zmq.REQ)
    socket.linger = 0
    socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.curve_serverkey = server
    if i % 2:
        socket.subscribe("")
    socket.connect(events if i % 2 else queries)
    if not i % 2:
        socket.send(b'{"op":"ping"}', zmq.NOBLOCK)
    got += bool(socket.poll(20 if i % 4 < 2 else i % 7))
    socket.close()
print("got", got, flush=True)
