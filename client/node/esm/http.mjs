// SPDX-License-Identifier: Apache-2.0
import made from '../src/http.js';

export const {
  keyOf, storeKey, fingerprint, pack, unpack, fate, problem, fromAnswer,
  fromError, replayed, RESULT_BYTES_MAX,
} = made;
