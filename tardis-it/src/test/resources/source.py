"""Stands in for `ctr events`: source.py SCRIPT

Prints what a script of lines says, and then stays, as ctr does. Each line of the script is JSON:

    {"exit": ID, "status": N, "pid": N}    a good line
    {"text": TEXT}                         a line as it is
    {"bad": N}                             so many malformed lines
    {"not_utf8": N}                        so many lines that are not UTF-8
    {"long": N}                            a line of so many bytes
    {"await": PATH}                        no line: what follows is printed when this file is there
"""

import json
import os
import sys
import time

out = sys.stdout.buffer


def exit_line(spec):
    event = {
        "container_id": spec["exit"],
        "id": spec["exit"],
        "pid": spec["pid"],
        "exited_at": "2026-01-01T00:00:00.5Z",
    }
    if spec["status"]:
        event["exit_status"] = spec["status"]
    return f"2026-01-01 00:00:00.5 +0000 UTC default /tasks/exit {json.dumps(event)}\n".encode()


BAD = [
    b"no event at all\n",
    b"2026-01-01 00:00:00 +0000 UTC default /tasks/exit {\"container_id\":\n",
    b"2026-01-01 00:00:00 +0000 UTC default /tasks/exit {\"exit_status\":\"many\"}\n",
]
NOT_UTF8 = [
    b"2026-01-01 00:00:00 +0000 UTC default /tasks/exit \xff\xfe\xfd\n",
    b"2026-01-01 00:00:00 +0000 UTC default /tasks/exit {\"container_id\":\"\xc3\x28\",\"id\":\"x\"}\n",
]


def write(lines, number):
    for i in range(number):
        out.write(lines[i % len(lines)])


with open(sys.argv[1], encoding="utf-8") as script:
    for line in script:
        spec = json.loads(line)
        if "exit" in spec:
            out.write(exit_line(spec))
        elif "text" in spec:
            out.write(spec["text"].encode() + b"\n")
        elif "bad" in spec:
            write(BAD, spec["bad"])
        elif "not_utf8" in spec:
            write(NOT_UTF8, spec["not_utf8"])
        elif "await" in spec:
            out.flush()
            while not os.path.exists(spec["await"]):
                time.sleep(0.02)
        elif "long" in spec:
            out.write(b"2026-01-01 00:00:00 +0000 UTC default /tasks/exit {\"container_id\":\"")
            out.write(b"x" * spec["long"] + b"\"}\n")
out.flush()
while True:
    time.sleep(3600)
