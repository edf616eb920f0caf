/** Containers and their exits. Values only: nothing here does I/O. */
package io.tardis.core.event;
