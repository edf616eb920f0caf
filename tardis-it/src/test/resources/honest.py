"""Asks and subscribes as a client should: honest.py EVENTS QUERIES

Prints "ready" when it has received and asked once. On SIGUSR1 it prints how often it asked, the slowest answer in
milliseconds, how many exits it received and how many of their numbers it missed, and ends. A question without an answer
in 20 s ends it with an error.
"""

import json
import signal
import sys
import time

import keys
import zmq

events, queries = sys.argv[1:]
context = zmq.Context()
subscriber = context.socket(zmq.SUB)
keys.use(subscriber)
subscriber.subscribe("/tasks/exit/")
subscriber.subscribe("/tardis/heartbeat/")
subscriber.connect(events)
client = context.socket(zmq.REQ)
client.linger = 0
keys.use(client)
client.rcvtimeo = 20_000
client.connect(queries)

stopping = []
signal.signal(signal.SIGUSR1, lambda *_: stopping.append(True))
asked, slowest, received, missed, last, began = 0, 0.0, 0, 0, 0, False
while not stopping:
    begin = time.monotonic()
    client.send(b'{"op":"ping"}')
    answer = json.loads(client.recv())
    if answer["status"] != "ok":
        sys.exit(f"answered {answer}")
    slowest = max(slowest, time.monotonic() - begin)
    asked += 1
    while subscriber.poll(10):
        topic, payload = subscriber.recv_multipart()
        if not began:
            print("ready", flush=True)
            began = True
        if topic.startswith(b"/tasks/exit/"):
            seq = json.loads(payload)["seq"]
            missed += seq - last - 1 if last else 0
            last = seq
            received += 1
print(f"asked {asked} slowest {slowest * 1000:.0f} received {received} missed {missed}", flush=True)
