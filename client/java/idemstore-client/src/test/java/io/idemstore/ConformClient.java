// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * ConformClient threads|futures: this client behind JSON lines, for
 * idemconform client (tests/conformance/client): blocking calls on a thread
 * each, or futures.
 */
final class ConformClient {
    private static final PrintStream OUT = System.out;
    private static IdemStore store;
    private static boolean futures;

    private ConformClient() {
    }

    public static void main(String[] args) throws IOException {
        futures = args[0].equals("futures");
        BufferedReader in = new BufferedReader(new InputStreamReader(
                System.in, StandardCharsets.UTF_8));
        for (String text = in.readLine(); text != null;
                text = in.readLine()) {
            Map<String, Object> line = Json.object(text);
            if (line.get("call").equals("open")) {
                open(line);
            } else if (futures) {
                later(line);
            } else {
                start(() -> told(line, () -> made(line)));
            }
        }
        System.exit(0);
    }

    private static void start(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }

    private static void open(Map<String, Object> line) {
        Map<String, Object> reply = new LinkedHashMap<>();
        reply.put("can", List.of("together", "run"));
        try {
            store = IdemStore.open((String) line.get("uri"));
        } catch (IdemException why) {
            reply.putAll(failed(why));
        }
        say(line, reply);
    }

    private static void say(Map<String, Object> line,
            Map<String, Object> reply) {
        Map<String, Object> whole = new LinkedHashMap<>();
        whole.put("id", line.get("id"));
        whole.putAll(reply);
        OUT.print(Json.line(whole) + "\n");
        OUT.flush();
    }

    /** An answer, or what it throws. */
    interface Asked {
        Object now() throws Exception;
    }

    private static void told(Map<String, Object> line, Asked asked) {
        Map<String, Object> reply;
        try {
            reply = answered(asked.now());
        } catch (Throwable why) {
            reply = failed(Once.bare(why));
        }
        say(line, reply);
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? null : HexFormat.of().formatHex(bytes);
    }

    private static byte[] unhex(Map<String, Object> line, String name) {
        String digits = (String) line.get(name);
        return digits == null ? null : HexFormat.of().parseHex(digits);
    }

    private static Duration ms(Map<String, Object> line, String name) {
        return Duration.ofMillis((Long) line.get(name));
    }

    private static Map<String, Object> answered(Object answer) {
        Map<String, Object> made = new LinkedHashMap<>();
        if (answer instanceof String outcome) {
            made.put("outcome", outcome);
            return made;
        }
        made.put("outcome", ((Answer) answer).outcome());
        if (answer instanceof Acquired a) {
            made.put("token", a.token().toString());
            made.put("attempt", a.attempt());
            made.put("previous", a.previous().name()
                    .toLowerCase(Locale.ROOT));
            made.put("lease_ms", a.leaseMs());
        } else if (answer instanceof Replay r) {
            made.put("result", hex(r.result()));
            made.put("class", r.isError() ? "error" : "success");
        } else if (answer instanceof InProgress p) {
            made.put("lease_left_ms", p.leaseLeftMs());
            made.put("attempt", p.attempt());
        } else if (answer instanceof Mismatch m) {
            made.put("state", m.state().word());
        } else if (answer instanceof Stale s) {
            made.put("state", s.state().word());
        } else if (answer instanceof Orphaned o) {
            made.put("attempt", o.attempt());
        } else if (answer instanceof Completed c) {
            made.put("kept", c.kept());
        } else if (answer instanceof Renewed r) {
            made.put("lease_ms", r.leaseMs());
        }
        return made;
    }

    private static Map<String, Object> failed(Throwable why) {
        if (why instanceof NotRunException told) {
            return answered(told.answer());
        }
        Map<String, Object> made = new LinkedHashMap<>();
        if (why instanceof NotRecordedException told) {
            if (told.getCause() != null) {
                return failed(told.getCause());
            }
            made.put("outcome", told.getMessage().contains("taken over")
                    ? "stale" : "unknown");
        } else if (why instanceof IdemException told) {
            made.put("error", told.code().name());
            made.put("assume", told.assume().name().toLowerCase(Locale.ROOT));
            made.put("text", told.getMessage());
        } else {
            made.put("error", why.toString());
        }
        return made;
    }

    private static Key key(Map<String, Object> line) {
        String key = (String) line.get("key");
        String ns = (String) line.get("ns");
        return ns == null ? Key.of(key) : Key.of(ns, key);
    }

    private static AcquireOptions acquiring(Map<String, Object> line) {
        AcquireOptions made = AcquireOptions.defaults()
                .fingerprint(unhex(line, "fingerprint"));
        if (line.containsKey("ttl_ms")) {
            made = made.ttl(ms(line, "ttl_ms"));
        }
        if (line.containsKey("lease_ms")) {
            made = made.lease(ms(line, "lease_ms"));
        }
        if (line.containsKey("wait_ms")) {
            made = made.waitFor(ms(line, "wait_ms"));
        }
        if (line.containsKey("timeout_ms")) {
            made = made.timeout(ms(line, "timeout_ms"));
        }
        return "report".equals(line.get("on_orphan"))
                ? made.onOrphan(OnOrphan.REPORT) : made;
    }

    private static CompleteOptions completing(Map<String, Object> line) {
        CompleteOptions made = CompleteOptions.defaults();
        if (line.containsKey("ttl_ms")) {
            made = made.ttl(ms(line, "ttl_ms"));
        }
        if (line.containsKey("timeout_ms")) {
            made = made.timeout(ms(line, "timeout_ms"));
        }
        return "error".equals(line.get("class")) ? made.asError() : made;
    }

    private static Token token(Map<String, Object> line) {
        return Token.of(unhex(line, "token"));
    }

    private static Duration lease(Map<String, Object> line) {
        return line.containsKey("lease_ms") ? ms(line, "lease_ms")
                : Duration.ofSeconds(30);
    }

    private static Object made(Map<String, Object> line) throws Exception {
        return switch ((String) line.get("call")) {
            case "acquire" -> store.acquire(key(line), acquiring(line));
            case "complete" -> store.complete(key(line), token(line),
                    unhex(line, "result"), completing(line));
            case "release" -> store.release(key(line), token(line));
            case "renew" -> store.renew(key(line), token(line), lease(line));
            default -> run(line);
        };
    }

    private static OnceOptions running(Map<String, Object> line) {
        return OnceOptions.defaults().acquire(acquiring(line));
    }

    private static byte[] result(Map<String, Object> line) {
        byte[] made = unhex(line, "result");
        return made == null ? new byte[0] : made;
    }

    private static String run(Map<String, Object> line) throws Exception {
        AtomicBoolean ran = new AtomicBoolean();
        store.once(key(line), running(line), Codec.bytes(), () -> {
            ran.set(true);
            Thread.sleep((Long) line.get("work_ms"));
            return result(line);
        });
        return ran.get() ? "completed" : "replay";
    }

    // ------------------------------------------------------------- futures

    private static void later(Map<String, Object> line) {
        CompletableFuture<?> asked = switch ((String) line.get("call")) {
            case "acquire" -> store.acquireAsync(key(line), acquiring(line));
            case "complete" -> store.completeAsync(key(line), token(line),
                    unhex(line, "result"), completing(line));
            case "release" -> store.releaseAsync(key(line), token(line),
                    false);
            case "renew" -> store.renewAsync(key(line), token(line),
                    lease(line));
            default -> runLater(line);
        };
        asked.whenComplete((answer, why) -> told(line, () -> {
            if (why instanceof Exception told) {
                throw told;
            }
            return answer;
        }));
    }

    private static CompletableFuture<String> runLater(
            Map<String, Object> line) {
        AtomicBoolean ran = new AtomicBoolean();
        return store.onceAsync(key(line), running(line), Codec.bytes(),
                () -> {
                    ran.set(true);
                    return CompletableFuture.supplyAsync(() -> result(line),
                            CompletableFuture.delayedExecutor(
                                    (Long) line.get("work_ms"),
                                    TimeUnit.MILLISECONDS));
                }).thenApply(made -> ran.get() ? "completed" : "replay");
    }
}
