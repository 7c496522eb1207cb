// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import io.idemstore.Claim;
import io.idemstore.NothingDoneException;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.zip.GZIPOutputStream;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.transaction.TransactionSystemException;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.request.async.DeferredResult;
import org.springframework.web.multipart.MultipartFile;
import org.springframework.web.server.ResponseStatusException;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;
import org.springframework.web.servlet.mvc.method.annotation.StreamingResponseBody;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** The servlet application of the tests: annotated at /own, filtered at /f. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
class ServletShop {
    /** What ran, in order. */
    static final List<String> RUNS = new CopyOnWriteArrayList<>();
    static final int PART_BYTES = 70_000;
    static volatile CountDownLatch go = new CountDownLatch(0);

    static int runs(String what) {
        return (int) RUNS.stream().filter(what::equals).count();
    }

    /** What is asked. */
    record Order(String id, int amount) {
    }

    @Bean
    ServletPrincipal who() {
        return request -> request.getHeader("X-User") == null ? "anyone"
                : request.getHeader("X-User").equals("nobody") ? null
                : request.getHeader("X-User");
    }

    /** Compresses within ours; whoever does that for one client alone. */
    @Bean
    FilterRegistrationBean<Filter> gzipWithin() {
        FilterRegistrationBean<Filter> made = new FilterRegistrationBean<>(
                (request, response, chain) -> {
                    HttpServletRequest asked = (HttpServletRequest) request;
                    if (asked.getHeader("X-Gzip") == null
                            || asked.getHeader("Accept-Encoding") == null) {
                        chain.doFilter(request, response);
                        return;
                    }
                    Gzip gzip = new Gzip((HttpServletResponse) response);
                    chain.doFilter(request, gzip);
                    gzip.end();
                });
        made.setOrder(0);
        made.setDispatcherTypes(DispatcherType.REQUEST);
        return made;
    }

    static final class Gzip extends HttpServletResponseWrapper {
        private final java.io.StringWriter text = new java.io.StringWriter();

        Gzip(HttpServletResponse response) {
            super(response);
        }

        @Override
        public java.io.PrintWriter getWriter() {
            return new java.io.PrintWriter(text, true);
        }

        void end() throws IOException {
            ByteArrayOutputStream made = new ByteArrayOutputStream();
            try (GZIPOutputStream zip = new GZIPOutputStream(made)) {
                zip.write(text.toString().getBytes());
            }
            setHeader("Content-Encoding", "gzip");
            getOutputStream().write(made.toByteArray());
        }
    }

    /** What both controllers do. */
    abstract static class Handlers {
        ResponseEntity<Map<String, Object>> paid(Order order) {
            RUNS.add(order.id());
            return ResponseEntity.status(201).header("Location", "/1")
                    .header("Set-Cookie", "a=1").header("X-Own", "1")
                    .body(Map.of("paid", order.amount()));
        }

        ResponseEntity<String> status(int status) {
            RUNS.add("status " + status);
            return ResponseEntity.status(status).body("it is " + status);
        }

        String slow(Order order) throws InterruptedException {
            RUNS.add(order.id());
            go.await();
            return "done";
        }
    }

    @RestController
    @RequestMapping("/own")
    static class Own extends Handlers {
        @PostMapping("/pay")
        @Idempotent
        ResponseEntity<Map<String, Object>> pay(@RequestBody Order order) {
            return paid(order);
        }

        @PostMapping("/status/{status}")
        @Idempotent
        ResponseEntity<String> answer(@PathVariable int status) {
            return status(status);
        }

        @PostMapping("/slow")
        @Idempotent
        String waits(@RequestBody Order order) throws InterruptedException {
            return slow(order);
        }
    }

    @RestController
    @RequestMapping("/f")
    static class Filtered extends Handlers {
        @PostMapping("/pay")
        ResponseEntity<Map<String, Object>> pay(@RequestBody Order order) {
            return paid(order);
        }

        @PostMapping("/status/{status}")
        ResponseEntity<String> answer(@PathVariable int status) {
            return status(status);
        }

        @PostMapping("/slow")
        String waits(@RequestBody Order order) throws InterruptedException {
            return slow(order);
        }
    }

    /** Each way to answer, annotated at /own/odd and filtered at /f/odd. */
    @RestController
    @RequestMapping({"/own/odd", "/f/odd"})
    static class Odd {
        @PostMapping("/nothing")
        @Idempotent
        ResponseEntity<String> nothing() {
            RUNS.add("nothing");
            Claim.current().markNothingDone();
            return ResponseEntity.status(503).body("the bank is closed");
        }

        @PostMapping("/nothing-thrown")
        @Idempotent
        String nothingThrown() {
            RUNS.add("nothing-thrown");
            throw new NothingDoneException("the bank is closed");
        }

        @PostMapping("/boom")
        @Idempotent
        String boom() {
            RUNS.add("boom");
            throw new IllegalStateException("boom");
        }

        @PostMapping("/boom-released")
        @Idempotent(onFailure = Failure.RELEASE)
        String boomReleased() {
            RUNS.add("boom-released");
            throw new IllegalStateException("boom");
        }

        @PostMapping("/boom-left")
        @Idempotent(onFailure = Failure.LEAVE)
        String boomLeft() {
            RUNS.add("boom-left");
            throw new IllegalStateException("boom");
        }

        @PostMapping("/commit-fails")
        @Idempotent
        String commitFails() {
            RUNS.add("commit-fails");
            throw new TransactionSystemException("the commit failed");
        }

        @PostMapping("/error")
        @Idempotent
        String error() {
            RUNS.add("error");
            throw new ResponseStatusException(HttpStatus.GONE, "no more");
        }

        @PostMapping("/half")
        @Idempotent
        void half(HttpServletResponse response) throws IOException {
            RUNS.add("half");
            response.getOutputStream().write(new byte[100_000]);
            response.getOutputStream().flush();
            throw new IllegalStateException("boom");
        }

        @PostMapping("/forward")
        @Idempotent
        void forward(HttpServletRequest request,
                HttpServletResponse response) throws Exception {
            RUNS.add("forward");
            RequestDispatcher to = request.getRequestDispatcher("/inner");
            to.forward(new HttpServletRequestWrapper(request) {
                @Override
                public String getMethod() {
                    return "GET";
                }
            }, response);
        }

        @PostMapping("/writer")
        @Idempotent
        void writer(HttpServletResponse response) throws IOException {
            RUNS.add("writer");
            response.setContentType("text/plain;charset=UTF-8");
            response.getWriter().print("gr\u00fc\u00dfe ".repeat(400));
        }

        @PostMapping("/callable")
        @Idempotent
        Callable<String> callable() {
            return () -> {
                RUNS.add("callable");
                return "called under " + Claim.current().token();
            };
        }

        @PostMapping("/deferred")
        @Idempotent
        DeferredResult<String> deferred() {
            RUNS.add("deferred");
            DeferredResult<String> made = new DeferredResult<>();
            CompletableFuture.runAsync(() -> made.setResult("later"));
            return made;
        }

        @PostMapping("/timed-out")
        @Idempotent
        DeferredResult<String> timedOut() {
            RUNS.add("timed-out");
            return new DeferredResult<>(50L);
        }

        @PostMapping("/stage")
        @Idempotent
        CompletableFuture<ResponseEntity<String>> stage() {
            RUNS.add("stage");
            return CompletableFuture.supplyAsync(
                    () -> ResponseEntity.status(202).body("staged"));
        }

        @PostMapping("/stage-fails")
        @Idempotent
        CompletableFuture<String> stageFails() {
            RUNS.add("stage-fails");
            return CompletableFuture.failedFuture(
                    new IllegalStateException("boom"));
        }

        @PostMapping("/mono")
        @Idempotent
        Mono<String> mono() {
            RUNS.add("mono");
            return Mono.just("one").delayElement(
                    java.time.Duration.ofMillis(5));
        }

        @PostMapping("/flux")
        @Idempotent
        Flux<Integer> flux() {
            RUNS.add("flux");
            return Flux.range(1, 3);
        }

        @PostMapping(path = "/events",
                produces = MediaType.TEXT_EVENT_STREAM_VALUE)
        @Idempotent
        SseEmitter events() {
            RUNS.add("events");
            SseEmitter made = new SseEmitter();
            CompletableFuture.runAsync(() -> {
                try {
                    made.send("one");
                    made.send("two");
                    made.complete();
                } catch (IOException why) {
                    made.completeWithError(why);
                }
            });
            return made;
        }

        @PostMapping("/stream")
        @Idempotent
        StreamingResponseBody stream() {
            RUNS.add("stream");
            return out -> {
                // Spring 7 passes no flush on: parts that fill a buffer
                for (String part : List.of("1", "2", "3")) {
                    out.write(part.repeat(PART_BYTES).getBytes());
                    out.flush();
                    if (part.equals("1")) {
                        await();
                    }
                }
            };
        }

        private static void await() {
            try {
                go.await();
            } catch (InterruptedException why) {
                throw new IllegalStateException(why);
            }
        }

        @PostMapping("/big")
        @Idempotent
        ResponseEntity<byte[]> big() {
            RUNS.add("big");
            return ResponseEntity.status(201)
                    .contentType(MediaType.IMAGE_PNG)
                    .body(new byte[(1 << 20) + 1]);
        }

        @PostMapping("/form")
        @Idempotent
        String form(@RequestParam String a, @RequestParam List<String> b) {
            RUNS.add("form");
            return a + b;
        }

        @PostMapping("/file")
        @Idempotent
        String file(@RequestParam MultipartFile file) {
            RUNS.add("file");
            return file.getOriginalFilename();
        }

        @PostMapping("/file-named")
        @Idempotent(key = "#file.originalFilename", fingerprint = "#file.size")
        String fileNamed(@RequestParam MultipartFile file) {
            RUNS.add("file-named");
            return file.getOriginalFilename();
        }

        @PostMapping("/encodings")
        @Idempotent
        String encodings(@RequestHeader(name = "Accept-Encoding",
                defaultValue = "none") String encodings) {
            RUNS.add("encodings");
            return encodings;
        }

        @GetMapping("/read")
        @Idempotent
        String read(@RequestParam String q) {
            RUNS.add("read");
            return q;
        }
    }

    /** Where a forward leads. */
    @RestController
    static class Inner {
        @GetMapping("/inner")
        String inner() {
            return "from within";
        }
    }
}
