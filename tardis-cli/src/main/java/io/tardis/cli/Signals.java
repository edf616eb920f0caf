package io.tardis.cli;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What signals do to the daemon: SIGTERM and SIGINT end it, which is the JVM's own doing; SIGQUIT
 * has the JVM print its threads; SIGHUP is the daemon's. The JVM ignores or uses SIGPIPE, SIGXFSZ
 * and SIGUSR2 itself. Whatever else would end a process by default is logged, and that is all.
 *
 * <p>Not to be caught, or the JVM's alone: SIGKILL, SIGSTOP, what stands for a fault (SIGSEGV,
 * SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS), and the real-time signals, which have no names
 * here.
 *
 * <p>{@code sun.misc.Signal} is the only way to hear a signal in the JDK (JEP 260). It is called by
 * reflection, since javac warns of it and has no way to say that this is meant.
 */
final class Signals {

    private static final Logger LOG = LoggerFactory.getLogger(Signals.class);

    /** The kernel ends a process that has no handler for them. */
    private static final List<String> WITHOUT_MEANING =
            List.of("USR1", "ALRM", "VTALRM", "PROF", "POLL", "PWR", "STKFLT", "XCPU");

    /** A terminal stops a process of the background that reads or writes. */
    private static final List<String> OF_TERMINALS = List.of("TTIN", "TTOU");

    private final Class<?> signal = Class.forName("sun.misc.Signal");
    private final Class<?> handler = Class.forName("sun.misc.SignalHandler");

    private Signals() throws ClassNotFoundException {}

    /**
     * From now on no signal that can be caught ends the daemon, but SIGTERM and SIGINT.
     *
     * @param onHangup run for each SIGHUP, in a thread of its own
     */
    static void handle(Runnable onHangup) {
        try {
            Signals signals = new Signals();
            // Where it was ignored at the start (nohup) the JVM leaves it so.
            signals.set("HUP", signals.running(onHangup));
            for (String name : WITHOUT_MEANING) {
                signals.set(name, signals.running(() -> LOG.info("SIG{} is ignored", name)));
            }
            for (String name : OF_TERMINALS) {
                signals.set(name, signals.handler.getField("SIG_IGN").get(null));
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this Java cannot hear signals", e);
        }
    }

    private Object running(Runnable action) {
        return Proxy.newProxyInstance(
                handler.getClassLoader(),
                new Class<?>[] {handler},
                (_, _, _) -> {
                    action.run();
                    return null;
                });
    }

    private void set(String name, Object newHandler) throws ReflectiveOperationException {
        try {
            Object made = signal.getConstructor(String.class).newInstance(name);
            Object _ = signal.getMethod("handle", signal, handler).invoke(null, made, newHandler);
        } catch (InvocationTargetException e) {
            // Another system has not all of them, and a JVM may need one itself.
            LOG.debug("SIG{} cannot be caught", name, e.getCause());
        }
    }
}
