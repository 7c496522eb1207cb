// SPDX-License-Identifier: Apache-2.0
import made from '../src/testing.js';

export const {
  Daemon, findDaemon,
} = made;
