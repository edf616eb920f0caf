/**
 * What a daemon counts and measures: {@code Meter} while it works, {@code Figures} as values. For
 * Prometheus and {@code tardis status -o json}.
 */
package io.tardis.core.figures;
