package io.tardis.it;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * On a machine that cannot run containers these tests are skipped, and say why. Under {@code
 * CI=true} they fail there: a build that tests nothing must not look like one that passed.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(RequiresContainers.Condition.class)
@interface RequiresContainers {

    /** The rule of {@link RequiresContainers}. */
    final class Condition implements ExecutionCondition {
        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            return Machine.problem()
                    .map(Condition::refuse)
                    .orElseGet(() -> ConditionEvaluationResult.enabled("containers can be run"));
        }

        private static ConditionEvaluationResult refuse(String problem) {
            String reason = "This machine cannot run containers: " + problem;
            if ("true".equals(System.getenv("CI"))) {
                throw new IllegalStateException(reason);
            }
            return ConditionEvaluationResult.disabled(reason);
        }
    }
}
