package io.tardis.core;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PrintableTest {

    @Test
    void leavesTextAsItIs() {
        assertThat(Printable.of("docker.io/nginx:1.29 web-0 näme 名前 😀"))
                .isEqualTo("docker.io/nginx:1.29 web-0 näme 名前 😀");
    }

    @Test
    void replacesWhatWouldChangeTheTerminalOrTheLine() {
        assertThat(Printable.of("a\u001b[31m\u009b2J\u0007\n\r\tb\u007f\u0000"))
                .isEqualTo("a?[31m?2J????b??");
    }

    @Test
    void replacesWhatWouldChangeTheOrderOfTheText() {
        assertThat(Printable.of("a\u202eb\u2066c\u200fd\u200be\u2028f\u2029g\ufeffh"))
                .isEqualTo("a?b?c?d?e?f?g?h");
        assertThat(Printable.of("\udb40\udc41 \ud800x")).isEqualTo("? ?x");
    }
}
