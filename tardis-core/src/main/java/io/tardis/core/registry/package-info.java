/**
 * The registry of Tardis-enabled containers: a directory for each, on disk, so that nobody needs
 * the bundle later.
 */
package io.tardis.core.registry;
