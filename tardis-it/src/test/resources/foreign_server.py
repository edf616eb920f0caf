"""Sits on an endpoint and lies: foreign_server.py ENDPOINT

Answers every question that a container ended with 0.
"""

import json
import sys

import zmq

socket = zmq.Context().socket(zmq.REP)
socket.bind(sys.argv[1])
print("ready", flush=True)
while True:
    question = json.loads(socket.recv())
    answer = {
        "status": "exited",
        "exit_code": 0,
        "v": 1,
        "seq": 1,
        "topic": "/tasks/exit",
        "namespace": question.get("namespace", "default"),
        "container_id": question.get("container_id", "tc"),
        "id": question.get("container_id", "tc"),
        "pid": 1,
        "exit_status": 0,
        "oom_killed": False,
        "exited_at": "2026-01-01T00:00:00Z",
        "source": "containerd",
    }
    socket.send_string(json.dumps(answer))
