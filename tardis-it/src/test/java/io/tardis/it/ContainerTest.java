package io.tardis.it;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.TestTemplate;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContextProvider;

/**
 * A test on real containers. It runs once, or as often as {@code -Dtardis.it.repeat} says, to find
 * out whether it is flaky:
 *
 * <pre>{@code
 * mvn verify -Dtardis.it.repeat=20 -Dit.test=ManyContainersIT -Dsurefire.failIfNoSpecifiedTests=false
 * }</pre>
 */
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@TestTemplate
@ExtendWith(ContainerTest.Repetition.class)
@interface ContainerTest {

    /** Runs a test as often as the property says. */
    final class Repetition implements TestTemplateInvocationContextProvider {
        @Override
        public boolean supportsTestTemplate(ExtensionContext context) {
            return true;
        }

        @Override
        public Stream<TestTemplateInvocationContext> provideTestTemplateInvocationContexts(
                ExtensionContext context) {
            int times = Integer.getInteger("tardis.it.repeat", 1);
            return IntStream.rangeClosed(1, times).mapToObj(Repetition::run);
        }

        private static TestTemplateInvocationContext run(int number) {
            return new TestTemplateInvocationContext() {
                @Override
                public String getDisplayName(int index) {
                    return "run " + number;
                }
            };
        }
    }
}
