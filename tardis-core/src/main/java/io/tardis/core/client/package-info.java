/** The client library: asking how a container ended, and hearing of every exit. */
package io.tardis.core.client;
