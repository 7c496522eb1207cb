// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

/** What is said of attempts that were not answered. */
final class Errors {
    private Errors() {
    }

    /** What a server's "CODE text" is. */
    static IdemException said(String endpoint, String text) {
        int space = text.indexOf(' ');
        String word = space < 0 ? text : text.substring(0, space);
        String rest = space < 0 ? "" : text.substring(space + 1);
        ErrorCode code = ErrorCode.ofWire(word);
        String sentence = endpoint + " answered: " + shown(text);
        if (code.assume() == ErrorCode.Assume.UNKNOWN) {
            sentence += "; the call may have taken effect, ask again with "
                    + "the same nonce or token";
        }
        return new IdemException(code, sentence, endpoint,
                code == ErrorCode.NOT_PRIMARY ? rest.trim() : "",
                code == ErrorCode.LIMIT ? retryMs(rest) : -1, null);
    }

    /** "retry_ms=40" as the second word of a LIMIT. */
    private static long retryMs(String words) {
        String word = words.split(" ", 2)[0];
        return !word.startsWith("retry_ms=") || word.length() > 18 ? -1
                : StoreUri.number(word.substring(9), 0, 999_999_999);
    }

    private static String shown(String text) {
        StringBuilder made = new StringBuilder();
        text.chars().limit(200).forEach(c ->
                made.append(c >= ' ' && c <= '~' ? (char) c : '?'));
        return made.toString();
    }

    static IdemException timedOut(String endpoint) {
        return IdemException.at(ErrorCode.TIMEOUT, endpoint, "no answer of "
                + endpoint + " came before the deadline; the call may have "
                + "taken effect, ask again with the same nonce or token");
    }

    static IdemException lost(String endpoint, String why) {
        return IdemException.at(ErrorCode.LOST, endpoint, "the connection to "
                + endpoint + " was lost before the answer: " + why);
    }

    static IdemException unsent(String endpoint) {
        return IdemException.at(ErrorCode.TIMEOUT_UNSENT, endpoint, "the "
                + "deadline passed before a connection to " + endpoint
                + " was there; nothing was sent");
    }

    static IdemException full(String endpoint) {
        return IdemException.at(ErrorCode.TIMEOUT_UNSENT, endpoint, "the "
                + "deadline passed while as many calls were under way as "
                + endpoint + " takes; nothing was sent");
    }

    static IdemException closed() {
        return new IdemException(ErrorCode.CLOSED,
                "the store was closed; nothing was sent");
    }

    static IdemException interrupted() {
        return new IdemException(ErrorCode.INTERRUPTED, "the thread was "
                + "interrupted while it waited for an answer; a claim that "
                + "comes all the same is given back");
    }

    static IdemException tooMany(int most) {
        return new IdemException(ErrorCode.LIMIT, "more than " + most
                + " calls are under way in this store; nothing was sent");
    }

    static IdemException cannotConnect(String endpoint, String why) {
        return IdemException.at(ErrorCode.CONNECT, endpoint,
                "can't connect to " + endpoint + ": " + why);
    }

    static IdemException cannotTalk(String endpoint, String why) {
        return IdemException.at(ErrorCode.CONNECT, endpoint,
                "can't talk to " + endpoint + ": " + why);
    }

    static IdemException tls(String endpoint, String why) {
        return IdemException.at(ErrorCode.TLS, endpoint,
                "no TLS connection to " + endpoint + ": " + why);
    }
}
