/**
 * The ZeroMQ sockets of Tardis, over JeroMQ, with every guard that JeroMQ 0.6.0 needs. No other
 * package names JeroMQ.
 *
 * <p>A socket belongs to one thread at a time, which also closes it; only the methods that say so
 * may be called from others.
 */
package io.tardis.core.zmq;
