"""Misbehaves on an endpoint, or reads events slowly: bad_client.py HOW ENDPOINT [NUMBER [SEED]]

Prints "ready" when the misbehaviour is under way, keeps it up until it is terminated, and prints what came of it. On
SIGUSR1, who read events slowly reads all that is there, and prints how many that were and which the last one was.
"""

import json
import random
import resource
import signal
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
ready_sub = ready[:-3] + b"SUB"
chance = random.Random(seed)


def connect():
    """A plain TCP connection, which does not fail if the other end closes it."""
    return socket.create_connection(address, timeout=10)


def send(connection, data):
    try:
        connection.sendall(data)
    except OSError:
        pass  # closed by the other end: its right


def greeted(command=ready):
    """A connection that is a REQ socket's, or another one's, after the handshake."""
    connection = connect()
    send(connection, greeting)
    send(connection, command)
    return connection


def awaited(connection):
    """The same, once the other end has greeted, too: what comes before that is none of its messages."""
    received = b""
    while len(received) < 66 or len(received) < 66 + received[65]:
        received += connection.recv(1000)
    return connection


def fill(connections, parts, limit):
    """Sends the parts over all connections in turn till each was ended or took so many bytes; how many were ended."""
    ended = 0
    for connection in connections:
        connection.settimeout(5)
        taken = 0
        try:
            for part in parts():
                connection.sendall(part)
                taken += len(part)
                if taken > limit:
                    break
        except TimeoutError:
            pass  # held back: not ended
        except OSError:
            ended += 1
    return ended


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

if how == "frames":
    # One message of frames without end, each of no byte, over some connections: 3 million frames over each.
    connections = [awaited(greeted(ready_sub if seed else ready)) for _ in range(number)]
    print("ended", fill(connections, lambda: iter(lambda: b"\x01\x00" * 30_000, None), 6_000_000), flush=True)
    keep()

if how == "subscriptions":
    # Another one each time, without end.
    connections = [awaited(greeted(ready_sub)) for _ in range(number)]

    def parts():
        for i in range(1_000_000):
            prefix = b"\x01/tasks/exit/%d/%d/" % (i, chance.randrange(1 << 60))
            yield b"\x00" + bytes([len(prefix)]) + prefix

    print("ended", fill(connections, parts, 10_000_000), flush=True)
    keep()

if how == "unread":
    # Asks for everything again and again, and reads nothing.
    request = b'{"op":"replay","limit":10000}'
    message = b"\x01\x00\x00" + bytes([len(request)]) + request
    connections = [awaited(greeted()) for _ in range(number)]
    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(10):
            send(connection, message)
    print("asked", len(connections) * 10, flush=True)
    keep()

if how == "waits":
    # As many waits as it can have, over many connections.
    context = zmq.Context()
    refusals = {}
    clients = [context.socket(zmq.DEALER) for _ in range(number)]
    for client in clients:
        client.linger = 0
        client.connect(endpoint)
        for _ in range(110):
            client.send_multipart([b"", b'{"op":"exit_code","container_id":"running","wait_ms":3600000}'])
    for client in clients:
        while client.poll(2000):
            message = json.loads(client.recv_multipart()[1]).get("message", "")
            refusals[message] = refusals.get(message, 0) + 1
            if sum(refusals.values()) % 10 == 0:
                break
    print("refused", sum(refusals.values()), flush=True)
    keep()

if how == "many":
    limit = max(resource.getrlimit(resource.RLIMIT_NOFILE)[1], number + 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    connections = []
    for i in range(number):
        try:
            # Who never greets is shut out after 30 s, and all have to be there at once: those are among the last.
            never_greets = i % 2 == 0 and i >= number - 1000
            connections.append(connect() if never_greets else greeted())
        except OSError as e:
            print("connection", i, e, flush=True)
            break
    print("opened", len(connections), flush=True)
    keep()

GOOD = b'{"op":"exit_code","namespace":"default","container_id":"tc","wait_ms":0}'
VALUES = [
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"-1",
    b"0",
    b"1.5",
    b"1e5",
    b"1e400",
    b"1E-400",
    b"-0",
    b"NaN",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"9" * 1000,
    b"0" * 1000,
    b'""',
    b'"exit_code"',
    b'"' + b"x" * 1000 + b'"',
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\xff"',
    b'"../.."',
]
KEYS = [b"op", b"namespace", b"container_id", b"wait_ms", b"after", b"limit", b"no_such_key"]


def wrong_type():
    """A good request but for one value."""
    key, value = chance.choice(KEYS), chance.choice(VALUES)
    fields = {b"op": chance.choice([b'"exit_code"', b'"replay"', b'"list"', b'"ping"']), b"container_id": b'"tc"'}
    fields[key] = value
    return b"{" + b",".join(b'"' + name + b'":' + text for name, text in fields.items()) + b"}"


def duplicate():
    """A key that is there twice, with the same value or another one."""
    return GOOD[:-1] + b',"' + chance.choice(KEYS[:4]) + b'":' + chance.choice([*VALUES, b'"ping"', b'"tc"']) + b"}"


def nested():
    """Deep inside, in the place of everything or in that of a value."""
    depth = chance.choice([15, 16, 17, 100, 700])
    begin, end = chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
    deep = begin * depth + b"1" + chance.choice([end * depth, b"", end * (depth + 1)])
    return chance.choice([deep, GOOD[:-1] + b',"x":' + deep + b"}", b'{"op":' + deep + b"}"])


def mutated():
    request = bytearray(GOOD)
    request[chance.randrange(len(GOOD))] = chance.randrange(256)
    return bytes(request)


REQUESTS = [
    lambda: b"",
    lambda: chance.randbytes(chance.randrange(200)),
    lambda: GOOD[: chance.randrange(len(GOOD))],
    lambda: GOOD + chance.choice([GOOD, b"x", b"}", b"\0", b" ", b"\n"]),
    lambda: chance.choice([b"\xef\xbb\xbf", b"\xff\xfe", b" "]) + GOOD,
    lambda: GOOD.decode().encode(chance.choice(["utf-16", "utf-16-le", "utf-32"])),
    lambda: b"[" * chance.randrange(30_000),
    mutated,
    wrong_type,
    duplicate,
    nested,
]


def enveloped(request):
    """The frames to send, and those that must come back before the answer."""
    frames = [chance.randbytes(chance.randrange(1, 20)) for _ in range(chance.choice([1, 2, 3, 30]))]
    return chance.choice(
        [
            ([b"", request], [b""]),  # as a REQ socket does it
            ([*frames, b"", request], [*frames, b""]),  # with more in the envelope
            ([request] if request else [b""], [] if request else [b""]),  # no empty frame
            ([request or b"x", *frames], []),  # the same, and more behind the request
            ([b"", request, *frames], [b""]),  # more behind the request
            ([b""], [b""]),  # no request
            ([b"", b"", request], [b""]),  # an empty request, and more behind it
            ([b"", b""], [b""]),
        ]
    )


if how == "requests":
    context = zmq.Context()
    client = context.socket(zmq.DEALER)
    client.linger = 0
    client.rcvtimeo = 20_000
    client.connect(endpoint)
    print("ready", flush=True)
    for i in range(number):
        frames, envelope = enveloped(chance.choice(REQUESTS)())
        client.send_multipart(frames)
        *before, answer = client.recv_multipart()
        status = json.loads(answer).get("status")
        if before != envelope or status not in ("error", "unknown", "ok"):
            print("answer", i, "to", frames, "is", before, answer, flush=True)
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
    printed = set()
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
                        if key in answer.get("message", "") and line not in printed:
                            printed.add(line)
                            print(line, flush=True)
            except zmq.Again:
                pass

if how == "slow":
    subscriber = zmq.Context().socket(zmq.SUB)
    subscriber.rcvhwm = 10
    subscriber.setsockopt(zmq.RCVBUF, 4096)
    subscriber.subscribe("/tasks/")
    subscriber.connect(endpoint)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    print("ready", flush=True)
    signal.sigwait({signal.SIGUSR1})
    subscriber.rcvtimeo = 5000
    received = []
    try:
        while True:
            received.append(json.loads(subscriber.recv_multipart()[1])["seq"])
    except zmq.Again:
        print("received", len(received), "up to", received[-1] if received else 0, flush=True)
