// SPDX-License-Identifier: Apache-2.0
/// <reference types="node" />

/** IDEMSTORED in the environment, or idemstored on the PATH; throws. */
export function findDaemon(): string;

/** A running idemstored, for tests. It ends with this process. */
export class Daemon {
  private constructor();
  /** args: further flags. port: 0 is a free one. Rejects where it does not
   *  start, with what it said. */
  static start(options?: { args?: string[]; port?: number; path?: string }):
    Promise<Daemon>;
  readonly port: number;
  readonly pid: number;
  readonly address: string;
  /** options: of the URI, by their names there. */
  uri(ns?: string, options?: { [name: string]: string | number }): string;
  log(): string;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL, and started again at the same port. */
  restart(): Promise<void>;
  kill(): Promise<void>;
  /** SIGTERM, then SIGKILL when it takes too long. */
  stop(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
