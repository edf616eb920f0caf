/**
 * What a container's own files say: its bundle's {@code config.json}, and Docker's notes. Whoever
 * made the container chose what is in them, so nothing here trusts them.
 */
package io.tardis.core.spec;
