"""Prints what Tardis publishes: subscriber.py ENDPOINT TOPIC...

One line a message: the topic, a tab, the JSON. The heartbeat is subscribed to last. ZeroMQ keeps the order of
subscriptions, so from the first heartbeat on, nothing of the topics can be missed.
"""

import sys

import keys
import zmq

endpoint, topics = sys.argv[1], sys.argv[2:]
socket = zmq.Context().socket(zmq.SUB)
for topic in [*topics, "/tardis/heartbeat/"]:
    socket.subscribe(topic)
keys.use(socket)
socket.connect(endpoint)
while True:
    frames = socket.recv_multipart()
    print(*(frame.decode("utf-8") for frame in frames), sep="\t", flush=True)
