// SPDX-License-Identifier: Apache-2.0
import made from '../src/memory.js';

export const {
  MemoryStore,
} = made;
