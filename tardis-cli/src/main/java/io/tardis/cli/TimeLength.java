package io.tardis.cli;

import io.tardis.core.config.SettingParser;
import java.time.Duration;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads a length of time as settings write it. */
final class TimeLength implements ITypeConverter<Duration> {

    @Override
    public Duration convert(String text) {
        try {
            return SettingParser.duration(text);
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException("'" + text + "' is " + e.getMessage());
        }
    }
}
