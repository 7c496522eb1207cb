// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** A server's address. Port 0: a Unix socket at the path in host. */
record Endpoint(String host, int port) {

    /** "127.0.0.1:7117", "[::1]:7117", "unix:/run/idemstored.sock". */
    String name() {
        if (port == 0) {
            return "unix:" + host;
        }
        return host.indexOf(':') >= 0 ? "[" + host + "]:" + port
                : host + ":" + port;
    }

    /**
     * "host:port".
     *
     * @param defaultPort 0: a port must be named
     * @throws IllegalArgumentException with what is wrong
     */
    static Endpoint parse(String text, int defaultPort) {
        String host = text;
        String port = null;
        if (text.startsWith("[")) {
            int closed = text.indexOf(']');
            String rest = closed < 0 ? "" : text.substring(closed + 1);
            if (closed < 0 || !rest.isEmpty() && !rest.startsWith(":")) {
                throw new IllegalArgumentException(
                        "an IPv6 address stands in brackets, [::1]:7117");
            }
            host = text.substring(1, closed);
            port = rest.isEmpty() ? null : rest.substring(1);
        } else if (text.indexOf(':') >= 0) {
            host = text.substring(0, text.indexOf(':'));
            port = text.substring(text.indexOf(':') + 1);
        }
        if (!isHost(host)) {
            throw new IllegalArgumentException("a host is a name, an IPv4 "
                    + "address or [an IPv6 address]");
        }
        long number = port == null ? defaultPort
                : StoreUri.number(port, 1, 65535);
        if (number <= 0) {
            throw new IllegalArgumentException(
                    "a port is a number from 1 to 65535");
        }
        return new Endpoint(host, (int) number);
    }

    private static boolean isHost(String host) {
        return !host.isEmpty() && host.length() <= 255 && host.chars()
                .allMatch(c -> c > ' ' && c <= '~'
                && "@/?#[]%".indexOf(c) < 0);
    }
}
