package io.tardis.it;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Random;

/**
 * Speaks ZMTP to a port, less and less well: sessions of every version and mechanism, with sizes,
 * flags and commands that no client would send, mutated, cut, and split anywhere. For one thread.
 */
final class ZmtpFuzzer {

    private static final int PATIENCE_MILLIS = 2_000;
    private static final int LEFT_OPEN = 20;

    private static final List<String> MECHANISMS =
            List.of("NULL", "NULL", "NULL", "PLAIN", "CURVE", "GSSAPI", "null", "");
    private static final List<String> COMMANDS =
            List.of(
                    "READY",
                    "HELLO",
                    "INITIATE",
                    "WELCOME",
                    "ERROR",
                    "MESSAGE",
                    "PING",
                    "PONG",
                    "SUBSCRIBE",
                    "CANCEL",
                    "JOIN",
                    "LEAVE",
                    "",
                    "X");
    private static final List<String> TYPES =
            List.of("REQ", "DEALER", "ROUTER", "SUB", "XSUB", "PUB", "REP", "PAIR", "", "SUBSUB");
    private static final long[] SIZES = {
        0,
        1,
        2,
        3,
        0xfe,
        0xff,
        0x100,
        639,
        640,
        641,
        1023,
        1024,
        1025,
        4095,
        4096,
        4097,
        8191,
        8192,
        8193,
        65_535,
        65_536,
        65_537,
        65_600,
        65_601,
        0x7fff_ffffL,
        0x8000_0000L,
        0xffff_ffffL,
        0x1_0000_0000L,
        0x1_0000_0001L,
        0x7000_0000L,
        0x8000_0000_7000_0000L,
        0x7fff_ffff_ffff_ffffL,
        0x8000_0000_0000_0000L,
        0xffff_ffff_0000_0000L,
        -1,
        -2
    };

    private final Random random;
    private final int port;
    private final Deque<Socket> open = new ArrayDeque<>();
    private int sessions;

    /** How much of the session is a greeting as it should be; 0 if it may be anything. */
    private int begun;

    ZmtpFuzzer(long seed, int port) {
        this.random = new Random(seed);
        this.port = port;
    }

    /** Goes on until {@code deadline}, by the monotonic clock; returns how many sessions it had. */
    int run(long deadline) throws IOException {
        while (System.nanoTime() - deadline < 0) {
            session();
            sessions++;
        }
        for (Socket socket : open) {
            socket.close();
        }
        return sessions;
    }

    private void session() throws IOException {
        byte[] bytes = bytes();
        Socket socket = new Socket();
        try {
            socket.connect(
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), port), PATIENCE_MILLIS);
            socket.setSoTimeout(1 + random.nextInt(5));
            OutputStream out = socket.getOutputStream();
            int pieces = random.nextInt(3) == 0 ? 1 + random.nextInt(20) : 1;
            int from = 0;
            if (begun > 0 && begun <= bytes.length) {
                // What comes before the other end's own greeting is over is no message.
                out.write(bytes, 0, begun);
                from = begun;
                socket.setSoTimeout(PATIENCE_MILLIS);
                int _ = socket.getInputStream().readNBytes(66).length;
                socket.setSoTimeout(1 + random.nextInt(5));
            }
            for (int i = 1; i <= pieces; i++) {
                int to =
                        i == pieces ? bytes.length : from + random.nextInt(bytes.length - from + 1);
                out.write(bytes, from, to - from);
                from = to;
                if (random.nextInt(8) == 0) {
                    int _ = socket.getInputStream().read(new byte[1 + random.nextInt(200)]);
                }
            }
        } catch (IOException _) {
            // Refused, ended, or nothing to read: the other end's right.
        }
        switch (random.nextInt(4)) {
            case 0 -> open.add(socket);
            case 1 -> {
                socket.setSoLinger(true, 0); // reset
                socket.close();
            }
            default -> socket.close();
        }
        if (open.size() > LEFT_OPEN) {
            open.remove().close();
        }
    }

    private byte[] bytes() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        boolean wellBegun = random.nextInt(3) > 0;
        out.writeBytes(wellBegun ? greeting("NULL", 3) : anyGreeting());
        if (wellBegun || random.nextBoolean()) {
            out.writeBytes(wellBegun ? ready(pick(List.of("REQ", "DEALER", "SUB"))) : anyCommand());
        }
        int size = out.size();
        for (int i = random.nextInt(6); i > 0; i--) {
            out.writeBytes(
                    switch (random.nextInt(5)) {
                        case 0 -> anyCommand();
                        case 1 -> frame(random.nextInt(256), anySize(), random.nextInt(300));
                        case 2 -> request();
                        case 3 -> subscription();
                        default -> manyFrames();
                    });
        }
        begun = wellBegun && random.nextInt(4) > 0 ? size : 0;
        return mutated(out.toByteArray(), begun);
    }

    private byte[] mutated(byte[] bytes, int from) {
        byte[] mutated = bytes;
        for (int i = random.nextInt(4); i > 0 && mutated.length > from; i--) {
            int at = from + random.nextInt(mutated.length - from);
            switch (random.nextInt(4)) {
                case 0 -> mutated[at] = (byte) random.nextInt(256);
                case 1 -> mutated[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> mutated = java.util.Arrays.copyOf(mutated, at); // cut
                default -> {
                    byte[] some = new byte[random.nextInt(20)];
                    random.nextBytes(some);
                    mutated =
                            ByteBuffer.allocate(mutated.length + some.length)
                                    .put(mutated, 0, at)
                                    .put(some)
                                    .put(mutated, at, mutated.length - at)
                                    .array();
                }
            }
        }
        return mutated;
    }

    private static byte[] greeting(String mechanism, int version) {
        return ByteBuffer.allocate(64)
                .put(new byte[] {(byte) 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, (byte) version, 0})
                .put(ascii(mechanism))
                .array();
    }

    private byte[] anyGreeting() {
        byte[] versioned = greeting(pick(MECHANISMS), random.nextInt(5));
        return switch (random.nextInt(5)) {
            case 0 -> java.util.Arrays.copyOf(versioned, 12); // ZMTP 2.0, and 1.0 with a version
            case 1 -> new byte[] {(byte) (1 + random.nextInt(4)), 0, 1, 2}; // 1.0
            case 2 -> frame1(anySize());
            default -> versioned;
        };
    }

    /** A long frame of ZMTP 1.0. */
    private static byte[] frame1(long size) {
        return ByteBuffer.allocate(10).put((byte) 0xff).putLong(size).array();
    }

    private byte[] ready(String type) {
        return command("READY", property("Socket-Type", ascii(type), type.length()));
    }

    private byte[] anyCommand() {
        String name = pick(COMMANDS);
        byte[] body =
                switch (random.nextInt(5)) {
                    case 0 -> property("Socket-Type", ascii(pick(TYPES)), anySize());
                    case 1 -> property("Identity", new byte[random.nextInt(300)], 4);
                    case 2 -> new byte[random.nextInt(20)];
                    case 3 -> new byte[194]; // with HELLO, what CURVE wants
                    default -> some(random.nextInt(700));
                };
        byte[] command = command(name, body);
        if (random.nextInt(4) == 0) {
            command[0] = (byte) random.nextInt(256);
        }
        return command;
    }

    private byte[] property(String name, byte[] value, long size) {
        return ByteBuffer.allocate(1 + name.length() + 4 + value.length)
                .put((byte) (random.nextInt(8) == 0 ? random.nextInt(256) : name.length()))
                .put(ascii(name))
                .putInt((int) (random.nextInt(8) == 0 ? size : value.length))
                .put(value)
                .array();
    }

    private static byte[] command(String name, byte[] body) {
        byte[] content =
                ByteBuffer.allocate(1 + name.length() + body.length)
                        .put((byte) name.length())
                        .put(ascii(name))
                        .put(body)
                        .array();
        return content.length < 256
                ? ByteBuffer.allocate(2 + content.length)
                        .put((byte) 4)
                        .put((byte) content.length)
                        .put(content)
                        .array()
                : ByteBuffer.allocate(9 + content.length)
                        .put((byte) 6)
                        .putLong(content.length)
                        .put(content)
                        .array();
    }

    /** A frame that announces one size, and has another. */
    private byte[] frame(int flags, long announced, int size) {
        return ByteBuffer.allocate(9 + size)
                .put((byte) (flags | 2))
                .putLong(announced)
                .put(some(size))
                .array();
    }

    private byte[] request() {
        String text =
                pick(
                        List.of(
                                "{\"op\":\"ping\"}",
                                "{\"op\":\"replay\",\"limit\":10}",
                                "{\"op\":\"exit_code\",\"container_id\":\"x\",\"wait_ms\":9999}",
                                "{\"op\":\"list\"}"));
        return ByteBuffer.allocate(4 + text.length())
                .put(new byte[] {1, 0, 0, (byte) text.length()})
                .put(ascii(text))
                .array();
    }

    private byte[] subscription() {
        byte[] prefix = random.nextBoolean() ? ascii("/tasks/exit/") : some(random.nextInt(250));
        return ByteBuffer.allocate(3 + prefix.length)
                .put(new byte[] {0, (byte) (prefix.length + 1), (byte) random.nextInt(3)})
                .put(prefix)
                .array();
    }

    private byte[] manyFrames() {
        byte[] frames = new byte[2 * random.nextInt(200)];
        for (int i = 0; i < frames.length; i += 2) {
            frames[i] = 1;
        }
        return frames;
    }

    private long anySize() {
        return random.nextInt(4) == 0 ? random.nextLong() : SIZES[random.nextInt(SIZES.length)];
    }

    private byte[] some(int size) {
        byte[] bytes = new byte[size];
        random.nextBytes(bytes);
        return bytes;
    }

    private <T> T pick(List<T> of) {
        return of.get(random.nextInt(of.size()));
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }
}
