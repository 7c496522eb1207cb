// SPDX-License-Identifier: Apache-2.0
import made from '../src/fastify.js';

export const {
  idempotency,
} = made;
