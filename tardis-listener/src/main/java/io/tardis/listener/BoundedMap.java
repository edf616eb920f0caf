package io.tardis.listener;

import java.util.LinkedHashMap;
import java.util.Map;

/** Forgets the entry that was put first where there are more than a number. */
final class BoundedMap<K, V> extends LinkedHashMap<K, V> {
    @java.io.Serial private static final long serialVersionUID = 1L;

    private final int max;

    BoundedMap(int max) {
        this.max = max;
    }

    @Override
    protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
        return size() > max;
    }
}
