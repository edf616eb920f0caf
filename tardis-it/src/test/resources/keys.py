"""Gives a client's socket its keys, from the settings that Tardis's own commands read; none, if there are none."""

import os

import zmq.auth


def use(socket):
    own = os.environ.get("TARDIS_CURVE_SECRET_KEY_FILE")
    if own:
        socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(own)
        server = os.environ.get("TARDIS_CURVE_SERVER_KEY_FILE") or own
        socket.curve_serverkey, _ = zmq.auth.load_certificate(server)
