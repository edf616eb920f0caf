/**
 * The keys with which ZeroMQ sockets encrypt and know each other (CURVE, rfc.zeromq.org/spec/26),
 * and the files that they are kept in.
 */
package io.tardis.core.curve;
