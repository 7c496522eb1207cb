// SPDX-License-Identifier: Apache-2.0
import { IdempotencyOptions } from './express.js';

/** A plugin for the routes of its scope; a route with config.idempotency false
 *  is not covered. app.idempotencyHealth: what was let through. */
export function idempotency(fastify: any, options: IdempotencyOptions<any>,
  done: (why?: Error) => void): void;
