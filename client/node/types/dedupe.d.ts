// SPDX-License-Identifier: Apache-2.0
/// <reference types="node" />
import { IncomingMessage, ServerResponse } from 'node:http';
import { Log } from './express.js';
import { Claim, ClaimOptions, StoreCalls } from './index.js';

type Awaitable<T> = T | Promise<T>;

export interface DedupeOptions<Message> extends ClaimOptions {
  store: StoreCalls;
  /** What its sender repeats when it sends it again: of a request (see ids), a
   *  KafkaJS payload, a job, a record. undefined: it has none. */
  id: (message: Message) => Awaitable<string | undefined>;
  ns?: string | Uint8Array;
  /** What it asks for, up to 64 bytes: another one under the same id is handed
   *  to deadLetter. */
  fingerprint?: (message: Message) => Awaitable<Uint8Array | undefined>;
  /** What becomes of a message that will never be done: told why. */
  deadLetter?: (message: Message, why: Error) => Awaitable<void>;
  /** SQS: when a record is to be seen again. */
  changeVisibility?: (message: Message, seconds: number) => Awaitable<void>;
  /** A handler that never ends holds its id no longer (15 minutes). */
  holdMsMax?: number;
  log?: Log;
}

export interface SqsEventLike<R> {
  Records: R[];
}
export interface SqsBatchResponse {
  batchItemFailures: { itemIdentifier: string }[];
}

export interface Dedupe<Message> {
  /** In front of a webhook's handler, behind what verifies its signature. 2xx
   *  is done; after anything else its sender sends it again. */
  readonly express: (req: IncomingMessage, res: ServerResponse,
    next: (why?: unknown) => void) => void;
  /** The same as a preHandler. */
  readonly fastify: (request: any, reply: any,
    done: (why?: Error) => void) => void;
  /** KafkaJS' eachMessage. Throws Redeliver for what is not acknowledged. */
  kafka<P extends Message>(handler: (payload: P, claim: Claim) => unknown):
    (payload: P) => Promise<void>;
  /** BullMQ's processor. */
  bullmq<J extends Message, T>(handler: (job: J, token: string | undefined,
    claim: Claim) => Awaitable<T>):
    (job: J, token?: string) => Promise<T>;
  /** A Lambda's handler of SQS batches, with ReportBatchItemFailures. */
  sqs<R extends Message>(handler: (record: R, claim: Claim) => unknown):
    (event: SqsEventLike<R>) => Promise<SqsBatchResponse>;
}

export function dedupe<Message = any>(options: DedupeOptions<Message>):
  Dedupe<Message>;

/** Where a webhook's sender writes the id of what it tells. */
export const ids: {
  /** "evt_..." in the body, parsed or raw. */
  readonly stripe: (request: any) => string | undefined;
  /** X-GitHub-Delivery */
  readonly github: (request: any) => string | undefined;
  /** Webhook-Id, of standardwebhooks.com */
  readonly standard: (request: any) => string | undefined;
  /** X-Shopify-Webhook-Id */
  readonly shopify: (request: any) => string | undefined;
};

/** Not acknowledged: to be delivered again after so long. */
export class Redeliver extends Error {
  readonly afterMs: number;
}
