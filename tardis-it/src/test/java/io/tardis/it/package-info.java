/**
 * The installation of Tardis on a real containerd.
 *
 * <p>A {@link io.tardis.it.Lab} is a private containerd and a private Tardis beside it, both in a
 * temporary folder of their own. Tests ask it for {@link io.tardis.it.Container}s, run these
 * through {@code tardis-runc}, and ask the {@link io.tardis.it.TardisNode} what was kept. {@code
 * PlainRuncIT} checks that harness with plain runc.
 */
@NullMarked
package io.tardis.it;

import org.jspecify.annotations.NullMarked;
