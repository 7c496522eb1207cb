// SPDX-License-Identifier: Apache-2.0
/// <reference types="node" />
import { IncomingMessage, ServerResponse } from 'node:http';
import { Claim, ClaimOptions, StoreCalls } from './index.js';

export interface Health {
  /** How many requests were let through without a claim. */
  readonly passed: number;
  readonly lastError: string;
}

export interface Log {
  warn(text: string): void;
  error(text: string): void;
}

/** Of each adapter. Request: what its framework calls one. */
export interface IdempotencyOptions<Request> extends ClaimOptions {
  store: StoreCalls;
  /** Who is authenticated, or the word 'none': without it one user's key could
   *  find another's answer. undefined: nobody is, 401. */
  principal: 'none' | ((request: Request) =>
    string | undefined | Promise<string | undefined>);
  ns?: string | Uint8Array;
  timeoutMs?: number;
  /** That are covered (POST, PATCH). */
  methods?: string[];
  /** false: a request without the header is let through (true: 400). */
  required?: boolean;
  /** Whether a path is covered (each). */
  applies?: (method: string, path: string) => boolean;
  /** What an answer of 5xx, and an exception, does to the claim ("complete":
   *  stored, its effect may have happened). */
  onError?: 'complete' | 'leave' | 'release';
  /** While the store can't be asked: 503, or the handler without a claim, and
   *  nothing is promised ("closed"). */
  onUnavailable?: 'closed' | 'open';
  /** Further headers to store, by name. */
  keep?: string[];
  /** Multipart bodies, too, whose boundary is another one each time. */
  multipart?: boolean;
  /** Of a request, which is read whole before the handler runs (10 MiB). */
  bodyBytesMax?: number;
  /** A handler that never ends holds its key no longer (15 minutes). */
  holdMsMax?: number;
  /** A client that leaves does not stop the handler (true). */
  detached?: boolean;
  /** console, unless told otherwise. */
  log?: Log;
}

export interface ExpressOptions<Request extends IncomingMessage>
  extends IdempotencyOptions<Request> {
  /** A parser in front leaves req.rawBody: see keepRawBody. */
  rawBody?: boolean;
}

export interface IdempotencyMiddleware {
  (req: IncomingMessage, res: ServerResponse,
    next: (why?: unknown) => void): void;
  readonly health: Health;
}

/** In front of what reads bodies, behind what authenticates. Throws ARGUMENT;
 *  and so does app.use where a parser stands in front of it. */
export function idempotency<Request extends IncomingMessage = any>(
  options: ExpressOptions<Request>): IdempotencyMiddleware;

/** For express.json({ verify: keepRawBody }). */
export function keepRawBody(req: IncomingMessage, res: ServerResponse,
  bytes: Buffer): void;

declare module 'http' {
  interface IncomingMessage {
    /** Of a request that is covered. */
    idempotencyClaim?: Claim;
  }
}
