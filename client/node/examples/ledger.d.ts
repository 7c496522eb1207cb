// SPDX-License-Identifier: Apache-2.0
import { Store } from '@idemstore/client';

export const store: Store;
export const leaseMs: number;
export const port: number;
export const principal: 'none' | ((request: unknown) => string | undefined);
export function played(): number;
export function play(match: { user: string; cost: number },
  rehearse?: string): Promise<{ status: number; told: object }>;
export function say(port: number): void;
