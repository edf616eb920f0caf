"""Checks that Tardis takes no answer back: promises.py ENDPOINT

Asks for the list of containers again and again, also while no daemon answers. Prints `ID CODE` for each end that is
answered as recorded, once, and `broken ...` whenever a later answer does not say the same.
"""

import json
import sys
import time

import zmq

REQUEST = b'{"op":"list","limit":10000}'
context = zmq.Context()


def ask():
    """One answer, or None if nobody gives it."""
    with context.socket(zmq.REQ) as socket:
        socket.linger = 0
        socket.rcvtimeo = 1000
        socket.connect(sys.argv[1])
        try:
            socket.send(REQUEST)
            return json.loads(socket.recv())
        except zmq.Again:
            return None


promised = {}
print("ready", flush=True)
while True:
    answer = ask()
    if answer is not None and answer["status"] == "ok":
        now = {
            each["container_id"]: each["exit_code"]
            for each in answer["containers"]
            if each["status"] == "exited" and each.get("durable", True)
        }
        for container, code in promised.items():
            if now.get(container) != code:
                print("broken", container, "was", code, "and is", now.get(container), flush=True)
        for container in now.keys() - promised.keys():
            promised[container] = now[container]
            print(container, now[container], flush=True)
    time.sleep(0.1)
