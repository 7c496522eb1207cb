// SPDX-License-Identifier: Apache-2.0
// docs/http.md as functions, for adapters of your own.
/// <reference types="node" />
import { AcquireAnswer, Acquired, IdemstoreError, Replay } from './index.js';

export type Headers = [name: string, value: string][];
/** A value's characters are bytes. body null: it was not kept. */
export interface Answer {
  status: number;
  headers: Headers;
  body: Buffer | null;
}
export interface Said extends Answer {
  body: Buffer;
}

export const RESULT_BYTES_MAX: number;
/** Throws KEY_MISSING, KEY_MALFORMED. */
export function keyOf(value: string | null | undefined): string;
/** principal null: the word "none". */
export function storeKey(key: string, method: string, target: string,
  principal: string | null): string;
export function fingerprint(method: string, target: string,
  contentType: string | null | undefined, body: Uint8Array): Buffer;
/** status: 200 to 599. keep: further names of headers to store. */
export function pack(status: number, headers: Iterable<[string, string]>,
  body: Uint8Array | null,
  options?: { keep?: string[]; resultBytesMax?: number }): Buffer;
/** Throws NOT_HTTP. */
export function unpack(result: Uint8Array | null): Answer;
export type Origin = 'handler' | 'before' | 'retryable' | 'unsent' | 'lost';
export type Fate = 'store' | 'release' | 'leave';
export function fate(status: number, origin?: Origin, onError?: Fate): Fate;
/** A problem document (RFC 9457). */
export function problem(what: string, retryAfterS?: number): Said;
export function fromAnswer(
  answer: Exclude<AcquireAnswer, Acquired | Replay>): Said;
export function fromError(error: IdemstoreError): Said;
export function replayed(result: Uint8Array | null): Said;
