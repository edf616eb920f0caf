/**
 * What the unit tests of several modules need: a clock, a log, a process and a launcher in a test's
 * hand.
 */
@NullMarked
package io.tardis.testkit;

import org.jspecify.annotations.NullMarked;
