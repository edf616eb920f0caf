"""Misbehaves on the query endpoint, or reads events slowly: bad_client.py HOW ENDPOINT [NUMBER [SEED]]

Prints "ready" when the misbehaviour is under way, keeps it up until its standard input says more or it is terminated, and
prints what came of it.
"""

import json
import random
import resource
import socket
import struct
import sys
import time

import zmq

how, endpoint = sys.argv[1], sys.argv[2]
number = int(sys.argv[3]) if len(sys.argv) > 3 else 1
seed = int(sys.argv[4]) if len(sys.argv) > 4 else 0
address = (endpoint.split("//")[1].rsplit(":", 1)[0], int(endpoint.rsplit(":", 1)[1]))
greeting = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
ready = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03REQ"
chance = random.Random(seed)


def connect():
    """A plain TCP connection, which does not fail if the other end closes it."""
    return socket.create_connection(address, timeout=10)


def send(connection, data):
    try:
        connection.sendall(data)
    except OSError:
        pass  # closed by the other end: its right


def greeted():
    """A connection that is a REQ socket's after the handshake."""
    connection = connect()
    send(connection, greeting)
    send(connection, ready)
    return connection


def keep():
    print("ready", flush=True)
    while True:
        time.sleep(3600)


if how == "bytes":
    connections = []
    for _ in range(number):
        connections.append(connect())
        send(connections[-1], chance.randbytes(chance.randrange(1, 4096)))
    keep()

if how == "half":
    connections = []
    for i in range(number):
        connections.append(connect() if i % 2 else greeted())
        send(connections[-1], greeting[: i % 64] if i % 2 else b"\x01\x00\x00\x40{"[: i % 6])
    keep()

if how == "huge":
    connections = []
    for length in [1 << 30, (1 << 31) - 1, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1] * number:
        connections.append(greeted())
        send(connections[-1], b"\x01\x00\x02" + struct.pack(">Q", length) + b"x" * 1000)
    keep()

if how == "many":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    connections = []
    for i in range(number):
        try:
            connections.append(greeted() if i % 2 else connect())
        except OSError as e:
            print("connection", i, e, flush=True)
            break
    keep()

if how == "requests":
    good = b'{"op":"exit_code","namespace":"default","container_id":"tc","wait_ms":0}'
    context = zmq.Context()
    client = context.socket(zmq.DEALER)
    client.linger = 0
    client.rcvtimeo = 20_000
    client.connect(endpoint)
    print("ready", flush=True)
    for i in range(number):
        kind = chance.randrange(4)
        if kind == 0:
            request = chance.randbytes(chance.randrange(200))
        elif kind == 1:
            request = good[: chance.randrange(len(good))]
        elif kind == 2:
            request = bytearray(good)
            request[chance.randrange(len(good))] = chance.randrange(256)
        else:
            request = b"[" * chance.randrange(30_000)
        client.send_multipart([b"", bytes(request)])
        empty, answer = client.recv_multipart()
        if not answer.startswith(b'{"status":"'):
            print("answer", i, answer, flush=True)
    print("answered", number, flush=True)

if how == "flood":
    # Asks as fast as it can over several connections, with waits among it, and reads what comes back.
    context = zmq.Context()
    clients = [context.socket(zmq.DEALER) for _ in range(number)]
    for client in clients:
        client.linger = 0
        client.connect(endpoint)
    requests = [
        b'{"op":"exit_code","container_id":"running","wait_ms":3600000}',
        b'{"op":"ping"}',
        b'{"op":"list","limit":10000}',
        b'{"op":"replay","limit":10000}',
        b"x" * 60_000,
    ]
    told = set()
    while True:
        for client in clients:
            try:
                for _ in range(100):
                    client.send_multipart([b"", chance.choice(requests)], zmq.NOBLOCK)
            except zmq.Again:
                pass
            try:
                while True:
                    answer = json.loads(client.recv_multipart(zmq.NOBLOCK)[1])
                    for key in "MAX_WAITING", "MAX_REQUESTS_PER_SECOND", "MAX_REQUEST_BYTES":
                        line = answer.get("error", "") + " TARDIS_" + key
                        if key in answer.get("message", "") and line not in told:
                            told.add(line)
                            print(line, flush=True)
            except zmq.Again:
                pass

if how == "slow":
    subscriber = zmq.Context().socket(zmq.SUB)
    subscriber.rcvhwm = 10
    subscriber.setsockopt(zmq.RCVBUF, 4096)
    subscriber.subscribe("/tasks/")
    subscriber.connect(endpoint)
    keep()
