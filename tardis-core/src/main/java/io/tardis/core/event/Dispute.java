package io.tardis.core.event;

/**
 * Another status that was told of an exit after the first one, which counts.
 *
 * @param exitStatus the other status
 * @param source who told it
 */
public record Dispute(long exitStatus, ExitSource source) {}
