package io.tardis.core.curve;

import java.nio.file.Path;
import java.util.Optional;

/**
 * The keys that a process uses on TCP.
 *
 * @param own who it is: the daemon's pair where it binds, the client's where it connects
 * @param server the public key of the daemon that it connects to
 * @param clientsDir the public keys of those who may connect to it, besides the owner of its own
 *     pair; empty for nobody else
 */
public record CurveKeys(CurveKeyPair own, CurvePublicKey server, Optional<Path> clientsDir) {}
