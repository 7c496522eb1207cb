// SPDX-License-Identifier: Apache-2.0
import made from '../src/index.js';

export const {
  Store, currentClaim, version, IdemstoreError, NotRecordedError, NotRunError,
  InProgressError, MismatchError, OrphanedError, FailedBeforeError,
  NothingDone,
} = made;
