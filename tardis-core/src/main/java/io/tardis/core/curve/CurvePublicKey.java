package io.tardis.core.curve;

import org.zeromq.ZMQ;

/**
 * A public key, as key files write it: 32 bytes in 40 characters of Z85 (rfc.zeromq.org/spec/32).
 *
 * @param text the 40 characters
 */
public record CurvePublicKey(String text) {

    /**
     * Refuses what is no key.
     *
     * @throws IllegalArgumentException if {@code text} is not the Z85 of 32 bytes
     */
    public CurvePublicKey {
        checkZ85(text);
    }

    /** Its 32 bytes. */
    public byte[] bytes() {
        return ZMQ.Curve.z85Decode(text);
    }

    /** JeroMQ decodes anything, so what it has decoded must give the same text again. */
    static void checkZ85(String text) {
        boolean printable = text.chars().allMatch(c -> c > ' ' && c <= '~');
        if (text.length() != ZMQ.Curve.KEY_SIZE_Z85
                || !printable
                || !ZMQ.Curve.z85Encode(ZMQ.Curve.z85Decode(text)).equals(text)) {
            throw new IllegalArgumentException(
                    "not a key, which is " + ZMQ.Curve.KEY_SIZE_Z85 + " characters of Z85");
        }
    }

    @Override
    public String toString() {
        return text;
    }
}
