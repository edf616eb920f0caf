package io.tardis.core.curve;

import org.zeromq.ZMQ;

/**
 * A public key and the secret key that belongs to it. Its text shows the public key only, so that
 * it can be logged.
 *
 * @param publicKey what others may know
 * @param secretText the secret key, 40 characters of Z85
 */
public record CurveKeyPair(CurvePublicKey publicKey, String secretText) {

    /**
     * Refuses what is no key.
     *
     * @throws IllegalArgumentException if {@code secretText} is not the Z85 of 32 bytes
     */
    public CurveKeyPair {
        CurvePublicKey.checkZ85(secretText);
    }

    /** A new pair, from the JDK's {@link java.security.SecureRandom}. */
    public static CurveKeyPair generate() {
        ZMQ.Curve.KeyPair pair = ZMQ.Curve.generateKeyPair();
        return new CurveKeyPair(new CurvePublicKey(pair.publicKey), pair.secretKey);
    }

    /** The 32 bytes of the secret key. */
    public byte[] secretBytes() {
        return ZMQ.Curve.z85Decode(secretText);
    }

    @Override
    public String toString() {
        return "the key pair of " + publicKey;
    }
}
