// SPDX-License-Identifier: Apache-2.0
import made from '../src/dedupe.js';

export const {
  dedupe, ids, Redeliver,
} = made;
