// SPDX-License-Identifier: Apache-2.0
// What must happen once: points are taken for a match. A file stands for the
// service's own database; its rows count what was executed, by whichever
// process.
//
// POINTS_USERS=yes: whoever is in front of this service authenticates, and says
// who it is in X-User.
//
// The header X-Rehearse makes a handler slow or makes it fail: sleep-MS, fail
// (nothing was done), crash (an exception after the points were taken).
'use strict';

const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { Store, currentClaim } = require('@idemstore/client');

const FILE = process.env.POINTS_FILE ?? 'points.log';

const store = new Store(
  process.env.IDEMSTORE_URI ?? 'idem://127.0.0.1:7117/points');
const leaseMs = Number(process.env.POINTS_LEASE_MS ?? 30000);

/** headers: of a request. */
function userOf({ headers }) {
  return headers['x-user'];
}
const principal = process.env.POINTS_USERS === 'yes' ? userOf : 'none';

function played() {
  return fs.existsSync(FILE)
    ? fs.readFileSync(FILE, 'latin1').split('\n').length - 1 : 0;
}

/** {status, told}, after the points are taken. */
async function play({ user, cost }, rehearse = '') {
  const slow = /^sleep-(\d{1,5})$/.exec(rehearse);
  if (slow) await sleep(Number(slow[1]));
  const claim = currentClaim();
  if (rehearse === 'fail') {
    claim.nothingDone = true;
    return { status: 503,
      told: { error: 'no opponent was found, and nothing was taken' } };
  }
  // One row, with the fencing token of the claim that it was taken under.
  const token = claim.token.toString('hex');
  fs.appendFileSync(FILE, `${user} ${cost} ${token}\n`, { mode: 0o600 });
  if (rehearse === 'crash') throw new Error('after the effect');
  return { status: 200, told: { user, cost, id: token } };
}

/** Where it listens, as a line that a test reads. */
function say(port) {
  console.log(`listening on 127.0.0.1:${port}`);
}

module.exports = { store, leaseMs, principal, played, play, say,
  port: Number(process.env.PORT ?? 0) };
