"""A client over loopback of whatever user runs it: local_client.py WHAT HOST PORT [NUMBER]

ask    asks what it is given after NUMBER, by pyzmq; prints the answer, or "nothing" after NUMBER seconds
watch  prints each topic that is published, by pyzmq, without end
bytes  prints how many bytes NUMBER connections got, and stays, with those that were not ended
rush   makes NUMBER connections, and leaves each of them at once; prints how many bytes they got
"""

import socket
import sys
import time

what, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
number = int(sys.argv[4]) if len(sys.argv) > 4 else 0


def zeromq(kind):
    import zmq

    client = zmq.Context().socket(getattr(zmq, kind))
    client.linger = 0
    client.ipv6 = ":" in host
    client.connect(f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}")
    return client


def raw():
    try:
        return socket.create_connection((host, port), timeout=5)
    except ConnectionResetError:
        return None


def received(connection):
    try:
        return len(connection.recv(100)) if connection else 0
    except ConnectionResetError:
        return 0


if what == "ask":
    client = zeromq("REQ")
    for request in sys.argv[5:]:
        client.send(request.encode())
        print(client.recv().decode() if client.poll(number * 1000) else "nothing", flush=True)
elif what == "watch":
    client = zeromq("SUB")
    client.subscribe(b"")
    while True:
        print(client.recv_multipart()[0].decode(), flush=True)
elif what == "bytes":
    connections = [raw() for _ in range(number)]
    print("got", sum(received(it) for it in connections), flush=True)
    time.sleep(3600)
elif what == "rush":
    got = 0
    for i in range(number):
        connection = raw()
        if connection and i % 2:
            try:
                connection.sendall(b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL" + bytes(48))
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            got += received(connection)
        if connection:
            connection.close()
    print("got", got, flush=True)
