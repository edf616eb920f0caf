/**
 * What travels over Tardis's ZeroMQ sockets: topics, published messages, queries and answers, as
 * JSON.
 */
package io.tardis.core.wire;
