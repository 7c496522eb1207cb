// SPDX-License-Identifier: Apache-2.0
'use strict';

const errors = require('./errors.js');
const { currentClaim } = require('./lease.js');
const { Store } = require('./store.js');
const { version } = require('../package.json');

module.exports = {
  Store,
  currentClaim,
  version,
  IdemstoreError: errors.IdemstoreError,
  NotRecordedError: errors.NotRecordedError,
  NotRunError: errors.NotRunError,
  InProgressError: errors.InProgressError,
  MismatchError: errors.MismatchError,
  OrphanedError: errors.OrphanedError,
  FailedBeforeError: errors.FailedBeforeError,
  NothingDone: errors.NothingDone,
};
