package io.tardis.runc;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.SocketAddress;
import java.net.SocketOption;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/** A server socket whose first attempts to accept fail, as with no descriptor left. */
final class FailingServerSocketChannel extends ServerSocketChannel {

    private final ServerSocketChannel real;
    private final int failuresWanted;
    private final AtomicInteger failures = new AtomicInteger();

    FailingServerSocketChannel(ServerSocketChannel real, int failuresWanted) {
        super(real.provider());
        this.real = real;
        this.failuresWanted = failuresWanted;
    }

    int failures() {
        return failures.get();
    }

    @Override
    public SocketChannel accept() throws IOException {
        if (failures.get() < failuresWanted) {
            failures.incrementAndGet();
            throw new IOException("Too many open files");
        }
        return real.accept();
    }

    @Override
    public ServerSocketChannel bind(SocketAddress local, int backlog) throws IOException {
        return real.bind(local, backlog);
    }

    @Override
    public <T> ServerSocketChannel setOption(SocketOption<T> name, T value) throws IOException {
        return real.setOption(name, value);
    }

    @Override
    public <T> T getOption(SocketOption<T> name) throws IOException {
        return real.getOption(name);
    }

    @Override
    public Set<SocketOption<?>> supportedOptions() {
        return real.supportedOptions();
    }

    @Override
    public ServerSocket socket() {
        return real.socket();
    }

    @Override
    public SocketAddress getLocalAddress() throws IOException {
        return real.getLocalAddress();
    }

    @Override
    protected void implCloseSelectableChannel() throws IOException {
        real.close();
    }

    @Override
    protected void implConfigureBlocking(boolean block) throws IOException {
        real.configureBlocking(block);
    }
}
