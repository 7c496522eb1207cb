// SPDX-License-Identifier: Apache-2.0
import { StoreCalls } from './index.js';

/** A store in this process's memory, with a server's semantics, for tests.
 *  clockMs: a clock of the test's own, so that it can let a lease end without
 *  waiting for it. */
export class MemoryStore {
  constructor(ns?: string | Uint8Array, options?: {
    resultBytesMax?: number; clockMs?: () => number });
}
export interface MemoryStore extends StoreCalls {}
