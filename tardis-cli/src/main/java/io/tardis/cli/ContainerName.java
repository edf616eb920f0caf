package io.tardis.cli;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.QueryCodec;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads {@code [NS/]ID}. */
final class ContainerName implements ITypeConverter<ContainerKey> {

    @Override
    public ContainerKey convert(String text) {
        int slash = text.indexOf('/');
        try {
            return slash < 0
                    ? new ContainerKey(QueryCodec.DEFAULT_NAMESPACE, text)
                    : new ContainerKey(text.substring(0, slash), text.substring(slash + 1));
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(String.valueOf(e.getMessage()));
        }
    }
}
