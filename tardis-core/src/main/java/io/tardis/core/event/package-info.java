/**
 * Containers, their exits, and the {@code ctr events} lines that tell of them. Values only: nothing
 * here does I/O but {@link io.tardis.core.event.CtrLineReader}, which reads the stream that it is
 * given.
 */
package io.tardis.core.event;
