// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import jakarta.servlet.http.HttpServletRequest;

/** Who is authenticated: one user's key never shows another one's answer. */
@FunctionalInterface
public interface ServletPrincipal {

    /** Null or empty: nobody is, and the request is refused with 401. */
    String of(HttpServletRequest request);
}
