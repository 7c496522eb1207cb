// SPDX-License-Identifier: Apache-2.0
import made from '../src/nest.js';

export const {
  Idempotent, IdempotencyModule, IdempotencyInterceptor,
} = made;
