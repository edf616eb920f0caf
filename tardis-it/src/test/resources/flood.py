"""Stands in for `ctr events`: flood.py NUMBER [SECONDS]

Prints an exit of "first", waits until there is a folder "go" in the scratch folder that TARDIS_CONFIG is in, prints so many
exits and one of "last", at once or over so many seconds, and stays, as ctr does.
"""

import os
import sys
import time

prefix = "2026-01-01 00:00:00.5 +0000 UTC default /tasks/exit "
line = prefix + '{{"container_id":"{0}","id":"{0}","pid":{1},"exited_at":"2026-01-01T00:00:00.5Z"}}\n'
sys.stdout.write(line.format("first", 998))
sys.stdout.flush()
go = os.path.join(os.path.dirname(os.path.dirname(os.environ["TARDIS_CONFIG"])), "go")
while not os.path.exists(go):
    time.sleep(0.02)
number = int(sys.argv[1])
pause = float(sys.argv[2]) / number * 100 if len(sys.argv) > 2 else 0
for i in range(number):
    sys.stdout.write(line.format(f"flood{i}", 1000 + i))
    if pause and i % 100 == 99:
        sys.stdout.flush()
        time.sleep(pause)
sys.stdout.write(line.format("last", 999))
sys.stdout.flush()
while True:
    time.sleep(3600)
