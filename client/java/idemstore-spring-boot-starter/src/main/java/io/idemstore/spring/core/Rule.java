// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.core;

import io.idemstore.AcquireAnswer;
import io.idemstore.AcquireOptions;
import io.idemstore.ErrorCode;
import io.idemstore.FailedBeforeException;
import io.idemstore.HttpAnswer;
import io.idemstore.HttpProblem;
import io.idemstore.IdemException;
import io.idemstore.InProgress;
import io.idemstore.Key;
import io.idemstore.Mismatch;
import io.idemstore.NotRunException;
import io.idemstore.NothingDoneException;
import io.idemstore.Orphaned;
import io.idemstore.Replay;
import io.idemstore.spring.Failure;
import io.idemstore.spring.Idempotent;
import io.idemstore.spring.ResultSerializer;
import io.idemstore.spring.Scope;
import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.Supplier;

/** What @Idempotent on a method says, read once. Asks nobody. */
public final class Rule {
    private static final int DESCRIBED_BYTES_MAX = 4096;

    private final Method method;
    private final Idempotent said;
    private final Expressions key;
    private final Expressions fingerprint;
    private final ReturnKind kind;
    private final Type valueType;
    private final boolean isHandler;
    private final ListenerKind listener;
    private final Scope scope;
    private final AcquireOptions acquire;
    private final String ownWord;
    private final Supplier<ResultSerializer> serializer;

    Rule(RuleParts parts) {
        method = parts.method();
        said = parts.said();
        key = parts.key();
        fingerprint = parts.fingerprint();
        kind = parts.kind();
        valueType = parts.valueType();
        isHandler = parts.isHandler();
        listener = parts.listener();
        scope = parts.scope();
        acquire = parts.acquire();
        serializer = parts.serializer();
        ownWord = Digests.word(parts.owner().getName(), method.getName(),
                Arrays.toString(method.getParameterTypes()));
    }

    public ReturnKind kind() {
        return kind;
    }

    public ListenerKind listener() {
        return listener;
    }

    /** A controller's, whose request has an answer. */
    public boolean isHandler() {
        return isHandler;
    }

    public boolean isExpiring() {
        return said.expireTime() > 0;
    }

    public boolean isRenewed() {
        return said.renew();
    }

    public boolean needsHeader() {
        return key == null;
    }

    public boolean needsBody() {
        return isHandler && fingerprint == null;
    }

    public boolean needsPrincipal() {
        return isHandler && key == null && scope == Scope.OWN;
    }

    // ------------------------------------------------------------ the asking

    /**
     * @param ask the request; null: there is none
     * @throws IdemException KEY_MISSING; ARGUMENT: it is too long
     */
    public Key key(HttpAsk ask, Invoked call) {
        String word = key == null ? ask == null ? null : ask.key()
                : key.text(call);
        if (word == null || word.isBlank()) {
            throw new IdemException(ErrorCode.KEY_MISSING, method
                    + " has no key: " + (key == null
                    ? "there is no request with the header"
                    : "its expression made none"));
        }
        if (scope == Scope.NONE) {
            return Key.of(word);
        }
        return Key.of(isHandler && key == null ? ask.storeKey()
                : word + "@" + ownWord);
    }

    /** How it is asked for. */
    public AcquireOptions ask(HttpAsk ask, Invoked call) {
        byte[] mark = null;
        if (fingerprint != null) {
            mark = mark(fingerprint.value(call));
        } else if (ask != null && isHandler) {
            byte[] content = isExpiring() ? ask.content() : null;
            mark = !isExpiring() ? ask.fingerprint()
                    : content == null ? null : Digests.of(content);
        }
        return acquire.fingerprint(mark);
    }

    private byte[] mark(Object value) {
        if (value == null) {
            return null;
        }
        if (value instanceof byte[] bytes) {
            return Digests.of(bytes);
        }
        if (value instanceof CharSequence text) {
            return Digests.of(text.toString()
                    .getBytes(StandardCharsets.UTF_8));
        }
        try {
            return Digests.of(serializer.get().write(value,
                    value.getClass()));
        } catch (Exception why) {
            throw new IllegalStateException("@Idempotent on " + method
                    + ": its fingerprint can't be written", why);
        }
    }

    // ----------------------------------------------------- what others hear

    /** What an earlier call returned. Throws NotRunException. */
    public Object replayed(AcquireAnswer answer) {
        if (!(answer instanceof Replay replay)) {
            throw notRun(answer);
        }
        if (isExpiring()) {
            throw notRun(new InProgress(replay.ttlLeftMs(), 1,
                    replay.ageMs()));
        }
        if (replay.isError()) {
            throw new FailedBeforeException(replay, replay.result() == null
                    ? "" : new String(replay.result(),
                    StandardCharsets.UTF_8));
        }
        if (kind == ReturnKind.VOID || listener != ListenerKind.NONE) {
            return null;
        }
        if (replay.result() == null) {
            throw new NotRunException(answer, "it was done before, and what "
                    + "it returned was not kept");
        }
        try {
            return serializer.get().read(replay.result(), valueType);
        } catch (Exception why) {
            throw new IllegalStateException("what an earlier run of " + method
                    + " returned can't be read as " + valueType, why);
        }
    }

    private static NotRunException notRun(AcquireAnswer answer) {
        if (answer instanceof InProgress busy) {
            return new NotRunException(answer, "someone else holds this key, "
                    + "for another " + busy.leaseLeftMs()
                    + " ms unless it is renewed");
        }
        if (answer instanceof Mismatch) {
            return new NotRunException(answer,
                    "this key was used for something else");
        }
        return new NotRunException(answer, "an earlier call's lease ended "
                + ((Orphaned) answer).ageMs() + " ms ago, and whether it was "
                + "done is not known");
    }

    /** What a request hears that does not get the claim. */
    public HttpAnswer answer(AcquireAnswer answer) {
        if (answer instanceof Replay replay) {
            return isExpiring()
                    ? HttpProblem.of(new InProgress(replay.ttlLeftMs(), 1,
                            replay.ageMs()))
                    : HttpAnswer.replayed(replay.result());
        }
        return HttpProblem.of(answer);
    }

    // --------------------------------------------------------------- the end

    /** Of a claim that stands for expireTime and is not renewed: at once. */
    public Settlement expiringAtOnce() {
        return new Settlement(Settlement.What.COMPLETE, null, false,
                Duration.ofSeconds(said.expireTime()));
    }

    public Settlement expiring(Held held) {
        return Settlement.expiring(held.startNs(), said.expireTime(),
                System.nanoTime());
    }

    /** @throws IllegalStateException it can't be written */
    public Settlement returned(Held held, Object value, int bytesMax) {
        if (isExpiring()) {
            return expiring(held);
        }
        if (kind == ReturnKind.VOID || listener != ListenerKind.NONE) {
            return Settlement.complete(null);
        }
        try {
            byte[] made = serializer.get().write(value, valueType);
            return Settlement.complete(
                    made != null && made.length > bytesMax ? null : made);
        } catch (Exception why) {
            throw new IllegalStateException(method + " has run, and what it "
                    + "returned can't be written: it is recorded without it",
                    why);
        }
    }

    public Settlement failed(Held held, Throwable why) {
        if (isExpiring()) {
            return expiring(held);
        }
        if (CommitFailures.is(why) || !(why instanceof Exception)
                || why instanceof InterruptedException) {
            return Settlement.LEAVE;
        }
        if (saysNothingDone(why) || held.claim().isNothingDone()) {
            return Settlement.RELEASE;
        }
        return switch (onFailure(Failure.DEFAULT)) {
            case STORE -> Settlement.failed(described(why));
            case RELEASE -> Settlement.RELEASE;
            case LEAVE -> Settlement.LEAVE;
            case DEFAULT -> listener == ListenerKind.NONE
                    ? Settlement.LEAVE : Settlement.RELEASE;
        };
    }

    /** Its own transaction was rolled back around it. */
    public Settlement rolledBack() {
        return said.onFailure() == Failure.RELEASE
                || listener != ListenerKind.NONE ? Settlement.RELEASE
                : Settlement.LEAVE;
    }

    public static Settlement unknown() {
        return Settlement.LEAVE;
    }

    public static Settlement doneWithoutResult() {
        return Settlement.complete(null);
    }

    public Failure onFailure(Failure otherwise) {
        return said.onFailure() == Failure.DEFAULT ? otherwise
                : said.onFailure();
    }

    public boolean saysNothingDone(Throwable why) {
        return why instanceof NothingDoneException
                || Arrays.stream(said.nothingDone())
                .anyMatch(one -> one.isInstance(why));
    }

    private static byte[] described(Throwable why) {
        byte[] told = (why.getClass().getSimpleName() + ": "
                + why.getMessage()).getBytes(StandardCharsets.UTF_8);
        return told.length <= DESCRIBED_BYTES_MAX ? told
                : Arrays.copyOf(told, DESCRIBED_BYTES_MAX);
    }

    @Override
    public String toString() {
        return method.toString();
    }
}
