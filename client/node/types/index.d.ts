// SPDX-License-Identifier: Apache-2.0
// All times are milliseconds. All bytes are Buffers when they come, and any
// Uint8Array when they go.
/// <reference types="node" />

export const version: string;

/** What an error lets its caller assume of the claim: as it was, nothing was
 *  sent; as it was, the server said no; or unknown: ask again with the same
 *  nonce (acquire) or token, it takes effect at most once. */
export type Assume = 'unchanged' | 'refused' | 'unknown';

export type ErrorCode =
  | 'PROTOCOL' | 'UNKNOWN_METHOD' | 'BAD_REQUEST' | 'TOO_LARGE' | 'LIMIT'
  | 'NO_MEMORY' | 'DENIED' | 'NOT_PRIMARY' | 'UNREPLICATED' | 'SHUTTING_DOWN'
  | 'SERVER' | 'ARGUMENT' | 'URI' | 'CONNECT' | 'TLS' | 'TIMEOUT_UNSENT'
  | 'CLOSED' | 'CHANGES_WAIT' | 'KEY_MISSING' | 'KEY_MALFORMED' | 'NOT_HTTP'
  | 'TIMEOUT' | 'LOST' | 'GARBLED' | 'NOT_RECORDED';

/** A call that was not answered. */
export class IdemstoreError extends Error {
  readonly code: ErrorCode;
  readonly assume: Assume;
  /** "127.0.0.1:7117", or "" where none was involved. */
  readonly endpoint: string;
  /** NOT_PRIMARY: where the server says that the primary is, or "". */
  readonly primary: string;
  /** LIMIT: after how long to ask again, where the server said so. */
  readonly retryMs: number | null;
  /** acquire: what it was asked with. */
  readonly nonce: Buffer | null;
}

/** The function has run, and that is not surely recorded: after the lease
 *  another asker may be told to go ahead, with previous "orphaned". */
export class NotRecordedError extends IdemstoreError {
  /** What the function returned. */
  readonly value: unknown;
  /** Why, where the store could not be told; null: the claim was lost. */
  readonly cause: IdemstoreError | null;
}

/** A function under once was not run, and there is no earlier result. */
export class NotRunError extends Error {}
/** Someone else is at it this moment. */
export class InProgressError extends NotRunError {
  readonly leaseLeftMs: number;
  readonly attempt: number;
}
/** The same key was used for something else. */
export class MismatchError extends NotRunError {
  readonly state: State;
}
/** With onOrphan "report": whether it happened is not known. */
export class OrphanedError extends NotRunError {
  readonly ageMs: number;
  readonly attempt: number;
}
/** It ran before, and its failure is what was stored. */
export class FailedBeforeError extends NotRunError {
  /** "TypeError: no such account" */
  readonly stored: string;
}
/** For a function under once to throw: it failed, and nothing has happened.
 *  The claim is released, whatever onError says. */
export class NothingDone extends Error {}

/** 1 to 512 bytes; a string is its UTF-8. */
export type Key = string | Uint8Array;
export type State = 'in_progress' | 'orphaned' | 'completed' | 'released';
export type ResultClass = 'success' | 'error';

/** Yours: go on, then complete or release. Tokens of one key only grow and
 *  compare as bytes: store it beside your own row. previous: how the claim
 *  before it ended. */
export interface Acquired {
  outcome: 'acquired';
  token: Buffer;
  attempt: number;
  previous: 'none' | 'orphaned' | 'released';
  leaseMs: number;
  nonce: Buffer | null;
}
/** It was done before. result null: none was kept. */
export interface Replay {
  outcome: 'replay';
  result: Buffer | null;
  resultClass: ResultClass;
  ageMs: number;
  ttlLeftMs: number;
}
/** Someone else holds it. */
export interface InProgress {
  outcome: 'in_progress';
  leaseLeftMs: number;
  attempt: number;
  ageMs: number;
}
/** The same key, another fingerprint. */
export interface Mismatch {
  outcome: 'mismatch';
  state: State;
}
/** With onOrphan "report": the holder's lease is over, its end unknown. */
export interface Orphaned {
  outcome: 'orphaned';
  ageMs: number;
  attempt: number;
}
/** Another token holds it, or none: nothing changed. */
export interface Stale {
  outcome: 'stale';
  state: State;
}
/** There is no such record (any more): nothing changed. */
export interface NoRecord {
  outcome: 'unknown';
}
/** kept: whether the result is stored. ttlMs: which retention holds, 0 where
 *  the server does not say. */
export interface Completed {
  outcome: 'completed';
  kept: boolean;
  ttlMs: number;
}
export interface Released {
  outcome: 'released';
}
export interface Renewed {
  outcome: 'renewed';
  leaseMs: number;
}
/** What a state has not is left out. */
export interface Record {
  state: State | 'absent';
  ageMs?: number;
  attempt?: number;
  leaseLeftMs?: number;
  ttlLeftMs?: number;
  resultBytes?: number | null;
  resultClass?: ResultClass;
}

export type AcquireAnswer =
  Acquired | Replay | InProgress | Mismatch | Orphaned;
export type CompleteAnswer = Completed | Stale | NoRecord;
export type ReleaseAnswer = Released | Stale | NoRecord;
export type RenewAnswer = Renewed | Stale | NoRecord;

export interface CallOptions {
  /** The namespace, 0 to 64 bytes, in place of the store's. */
  ns?: string | Uint8Array;
  /** The deadline, 1 to 86,400,000; left out, the URI's timeout_ms. */
  timeoutMs?: number;
}
export interface ClaimOptions {
  /** For how long the asker may work before others may take over, 1 to
   *  86,400,000, at most ttlMs (30,000). */
  leaseMs?: number;
  /** For how long the record is kept, 1 to 31,622,400,000 (a day). */
  ttlMs?: number;
  /** How long to wait while someone else holds it, 0 to 60,000 (0). */
  waitMs?: number;
  /** What to do when the holder's lease is over ("takeover"). */
  onOrphan?: 'takeover' | 'report';
}
export interface AcquireOptions extends CallOptions, ClaimOptions {
  /** A digest of what is asked for, up to 64 bytes: another one under the same
   *  key is a mismatch. */
  fingerprint?: Uint8Array | null;
  /** 1 to 32 bytes; left out, one is drawn. The same nonce gets the same claim
   *  again. */
  nonce?: Uint8Array;
}
export interface CompleteOptions extends CallOptions {
  /** What duplicates get; over the server's limit it is not kept. */
  result?: Uint8Array | null;
  resultClass?: ResultClass;
  ttlMs?: number;
}
export interface ReleaseOptions extends CallOptions {
  /** The record goes, and with it its fingerprint. */
  unbind?: boolean;
}
export interface RenewOptions extends CallOptions {
  leaseMs?: number;
}

export interface OnceOptions<T> extends ClaimOptions {
  ns?: string | Uint8Array;
  timeoutMs?: number;
  fingerprint?: Uint8Array | null;
  /** What a throw does to the claim ("leave": nobody knows what has happened,
   *  the lease ends it). "complete" stores the failure: everyone else gets
   *  FailedBeforeError. */
  onError?: 'leave' | 'release' | 'complete';
  /** Renew the lease until the function ends (true). */
  renew?: boolean;
  /** Renew it no longer than this. */
  holdMsMax?: number;
  /** How what it returns is stored (JSON). null: nothing is. */
  encode?: (value: T) => Uint8Array | null | Promise<Uint8Array | null>;
  decode?: (stored: Buffer) => T;
}

/** What a function under a claim may know. */
export interface Claim {
  readonly key: Key;
  /** 16 bytes: write it beside your own row; a later holder's is greater. */
  readonly token: Buffer;
  /** 1 for the first claim of the key. */
  readonly attempt: number;
  /** "orphaned": the one before may or may not have had its effect. */
  readonly previous: 'none' | 'orphaned' | 'released';
  /** The lease is over or taken, as far as is known: stop if you can. */
  readonly lost: boolean;
  readonly leaseLeftMs: number;
  /** Aborted once the claim is lost. */
  readonly signal: AbortSignal;
  /** Behind an Idempotency-Key: the handler answers, and nothing has happened;
   *  its answer is not stored, a retry begins anew. */
  nothingDone: boolean;
}

/** The claim under which this code runs, or null. */
export function currentClaim(): Claim | null;

export interface All<K extends Key> {
  outcome: 'acquired';
  /** In the order in which they were taken, which is everybody's. */
  claims: Map<K, Acquired>;
}
/** This key was not to be had; none is held. */
export interface NotAll<K extends Key> {
  outcome: 'not_all';
  key: K;
  answer: Exclude<AcquireAnswer, Acquired>;
}

/** The calls of a store. Each rejects with IdemstoreError for what prevents an
 *  answer: code ARGUMENT before anything is sent, and the others after all
 *  attempts until the deadline. */
export interface StoreCalls {
  acquire(key: Key, options?: AcquireOptions): Promise<AcquireAnswer>;
  complete(key: Key, token: Uint8Array,
    options?: CompleteOptions): Promise<CompleteAnswer>;
  release(key: Key, token: Uint8Array,
    options?: ReleaseOptions): Promise<ReleaseAnswer>;
  renew(key: Key, token: Uint8Array,
    options?: RenewOptions): Promise<RenewAnswer>;
  /** Shows a record and changes nothing. */
  peek(key: Key, options?: CallOptions): Promise<Record>;
  ping(options?: { timeoutMs?: number }): Promise<void>;
  stats(options?: { timeoutMs?: number }): Promise<{ [name: string]: number }>;
  /** All keys, in one order for everybody, or none. */
  acquireAll<K extends Key>(keys: Iterable<K>,
    options?: Omit<AcquireOptions, 'nonce'>): Promise<All<K> | NotAll<K>>;
  /** fn runs once per key, on whichever machine; everyone else gets what it
   *  returned. Rejects with NotRunError where it did not run and there is no
   *  result, NotRecordedError where it ran and that is not surely recorded. */
  once<T>(key: Key, fn: (claim: Claim) => T | Promise<T>): Promise<T>;
  once<T>(key: Key, options: OnceOptions<T>,
    fn: (claim: Claim) => T | Promise<T>): Promise<T>;
  /** Keeps a claim's lease renewed until letGo. */
  hold(key: Key, acquired: Acquired, options?: {
    ns?: string | Uint8Array; renew?: boolean; holdMsMax?: number;
    sentMs?: number }): Claim;
  letGo(claim: Claim): void;
  readonly resultBytesMax: number;
  /** Ends it; calls under way end with CLOSED or LOST. */
  close(): Promise<void>;
}

/** How a store stands. Counts are since it was made. */
export interface Status {
  primary: string;
  epoch: number;
  connections: number;
  /** The primary takes changes and confirms none. */
  changesWait: boolean;
  calls: number;
  repeats: number;
  connects: number;
  losses: number;
  follows: number;
  timeouts: number;
  unreplicated: number;
  failedFast: number;
}

/** A store over sockets: it connects at its first call, keeps a connection per
 *  shard, and follows the primary. One for the whole process.
 *
 *  uri: idem://[:SECRET@]HOST[:PORT][,HOST...][/NAMESPACE][?OPTIONS], idems://
 *  for TLS, idem+unix:///PATH. secret: where the URI has none; left out, the
 *  option secret_file or IDEMSTORE_SECRET in the environment. Throws URI, TLS,
 *  ARGUMENT. */
export class Store {
  constructor(uri: string, options?: { secret?: string });
  status(): Status;
  [Symbol.asyncDispose](): Promise<void>;
}
export interface Store extends StoreCalls {}
