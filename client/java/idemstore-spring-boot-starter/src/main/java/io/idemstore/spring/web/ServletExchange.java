// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring.web;

import io.idemstore.HttpAnswer;
import io.idemstore.spring.ServletPrincipal;
import io.idemstore.spring.core.Exchange;
import io.idemstore.spring.core.Held;
import io.idemstore.spring.core.HttpAsk;
import io.idemstore.spring.core.Rule;
import io.idemstore.spring.core.Settlement;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Collections;
import java.util.List;

/**
 * One request with its answer, over all its dispatches: the first, those after
 * asynchronous work, and the one that writes an error page. One thread at a
 * time has it.
 */
final class ServletExchange implements Exchange {
    private static final String NAME = ServletExchange.class.getName();

    private final WebPolicy policy;
    private final ServletPrincipal principal;
    private final int bytesMax;
    private final RecordedRequest request;
    private HeldResponse response;
    private volatile HttpClaim claim;
    private boolean began;
    private boolean isMapped;
    private boolean isError;

    ServletExchange(WebPolicy policy, ServletPrincipal principal,
            int bytesMax, HttpServletRequest request,
            HttpServletResponse response) {
        this.policy = policy;
        this.principal = principal;
        this.bytesMax = bytesMax;
        this.request = new RecordedRequest(request);
        if (!keys().isEmpty()) {
            this.request.hideEncodings();
        }
        this.response = new HeldResponse(response);
        request.setAttribute(NAME, this);
    }

    /** The one of an earlier dispatch, or null. */
    static ServletExchange of(jakarta.servlet.ServletRequest request) {
        return (ServletExchange) request.getAttribute(NAME);
    }

    RecordedRequest request() {
        return request;
    }

    HeldResponse response() {
        return response;
    }

    /**
     * Another dispatch, perhaps with the bare answer. Returns what goes on
     * through the filters.
     */
    HttpServletResponse resume(HttpServletResponse given, boolean forError) {
        isError = forError;
        if (isWithin(given, response)) {
            response.holdAgain();
            return given;
        }
        response = new HeldResponse(given);
        if (claim != null && !claim.isExpiring()) {
            claim.capture().clear();
            response.hold(claim);
        }
        return response;
    }

    private static boolean isWithin(jakarta.servlet.ServletResponse given,
            HeldResponse sought) {
        jakarta.servlet.ServletResponse at = given;
        while (at != sought
                && at instanceof jakarta.servlet.ServletResponseWrapper w) {
            at = w.getResponse();
        }
        return at == sought;
    }

    // ------------------------------------------------------------- as asked

    List<String> keys() {
        return Collections.list(request.getHeaders(policy.header()));
    }

    private String target() {
        String query = request.getQueryString();
        return WebPolicy.originForm(request.getRequestURI()
                + (query == null ? "" : "?" + query));
    }

    @Override
    public HttpAsk ask(Rule rule) {
        if (rule != null && !rule.isHandler()) {
            return new HttpAsk(request.getMethod(), target(),
                    request.getContentType(), WebPolicy.key(keys()), null,
                    new byte[0]);
        }
        String key = rule == null || rule.needsHeader()
                ? WebPolicy.key(keys()) : null;
        boolean needsBody = rule == null || rule.needsBody();
        if (needsBody) {
            WebPolicy.checkMultipart(request.getContentType());
            policy.checkLength(request.getContentLengthLong());
            request.record(policy.bodyBytesMax());
        }
        boolean needsPrincipal = rule == null ? policy.isScoped()
                : rule.needsPrincipal();
        return new HttpAsk(request.getMethod(), target(),
                request.getContentType(), key, needsPrincipal
                && !policy.isForAnyone()
                ? policy.principal(principal.of(request)) : null,
                needsBody ? request.body() : new byte[0]);
    }

    // ---------------------------------------------------------- its handler

    /** A mapping was found for it: from here on its handler tells. */
    void mapped(boolean tells) {
        if (!isError) { // the page's own handler tells nothing of it
            isMapped = true;
            began |= !tells;
        }
    }

    @Override
    public void began() {
        began |= !isError;
    }

    @Override
    public Held held() {
        return claim == null ? null : claim.held();
    }

    @Override
    public void hold(Held held, Rule rule) {
        claim = new HttpClaim(policy, held, rule, bytesMax);
        if (!claim.isExpiring()) {
            request.hideEncodings();
            response.hold(claim);
        }
    }

    @Override
    public void failed(Throwable why) {
        if (claim != null) {
            claim.failed(why);
        }
    }

    /** Nobody knows what became of its handler. */
    void unknown() {
        if (claim != null) {
            claim.unknown();
        }
    }

    boolean isOpen() {
        return claim != null && !claim.held().isSettled();
    }

    /** A servlet that is none of Spring MVC's tells nothing. */
    private boolean hasBegun() {
        return began || !isMapped && !isForMvc();
    }

    private boolean isForMvc() {
        return request.getAttribute(
                "org.springframework.web.servlet.DispatcherServlet.CONTEXT")
                != null || "dispatcherServlet".equals(
                request.getHttpServletMapping().getServletName());
    }

    // -------------------------------------------------------------- its end

    /** Settles it with the answer, of which then the last part leaves. */
    void finish() throws IOException {
        if (claim == null) {
            return;
        }
        response.flushWriter();
        if (isOpen()) {
            Settlement how = claim.settlement(response.getStatus(),
                    response.headers(), hasBegun());
            HttpAnswer trouble = claim.trouble(claim.held().settle(how));
            if (trouble != null && !response.hasSent()) {
                response.replace(trouble);
                return;
            }
            if (trouble != null) {
                throw new IOException("an answer ends without its end: its "
                        + "claim was lost while it was sent");
            }
        }
        response.letGo();
    }

    /** No answer came of it that was seen. */
    void finishWithoutAnswer() {
        if (isOpen()) {
            claim.held().settle(claim.failedWithoutAnswer(hasBegun()));
        }
    }
}
