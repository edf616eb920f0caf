/** The settings of Tardis: their keys, defaults and meanings, and how they are read. */
package io.tardis.core.config;
