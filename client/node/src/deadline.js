// SPDX-License-Identifier: Apache-2.0
// A deadline that does not overtake what has arrived. A loop that was held up
// runs its timers first, and reads afterwards: an answer that lies there already
// would be taken for one that never came.
'use strict';

class Deadline {
  constructor(ms, passed) {
    this._immediate = null;
    this._timer = setTimeout(() => {
      this._immediate = setImmediate(passed); // behind the loop's next read
    }, Math.max(ms, 0));
  }

  /** It does not keep the process. */
  unref() {
    this._timer.unref();
    return this;
  }

  clear() {
    clearTimeout(this._timer);
    clearImmediate(this._immediate);
  }
}

module.exports = { Deadline };
