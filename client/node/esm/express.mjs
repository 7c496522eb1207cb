// SPDX-License-Identifier: Apache-2.0
import made from '../src/express.js';

export const {
  idempotency, keepRawBody,
} = made;
