// SPDX-License-Identifier: Apache-2.0
// Clicks twice on everything, many at a time: see double_click.c.
'use strict';

const idemstore = require('../../../client/node/src/index.js');

const WORKERS = 8;
const WAIT_MS = 60000;
const store = new idemstore.Store(process.env.STORES);
const runs = new Map();
const troubles = [];
let begun = 0;
let answered = 0;
let ended = false;

async function clickOn(thing) {
  const work = () => {
    runs.set(thing, (runs.get(thing) ?? 0) + 1);
    return `did ${thing}`;
  };
  try {
    const told = await store.once(`thing-${thing}`, { waitMs: WAIT_MS }, work);
    if (told !== `did ${thing}`) troubles.push(`thing-${thing}: ${told}`);
  } catch (why) {
    troubles.push(`thing-${thing}: ${why}`);
  }
}

async function clickAway() {
  while (!ended && troubles.length === 0) {
    await clickOn(Math.floor(begun++ / 2)); // two after each other: two workers
    if (++answered % 50 === 0) console.log(`done ${answered}`);
    // The store is what is tried, not the machine.
    await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
}

process.stdin.resume().on('end', () => { ended = true; });

(async () => {
  await Promise.all(Array.from({ length: WORKERS }, clickAway));
  const things = Math.floor(begun / 2);
  for (let thing = 0; thing < things; thing++) {
    await clickOn(thing); // later on nothing of it is run again
  }
  await store.close();
  const wrong = [];
  for (let thing = 0; thing < things; thing++) {
    if (runs.get(thing) !== 1) wrong.push(thing);
  }
  console.log(`${things} things, not run once: ${wrong.slice(0, 5)}, ` +
    `troubles: ${troubles.slice(0, 5)}`);
  process.exit(wrong.length || troubles.length || !things ? 1 : 0);
})();
