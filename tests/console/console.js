// SPDX-License-Identifier: Apache-2.0
// console.js BUILD WORK KEYS [STORY...] -- the console's stories, one after the
// other, each with daemons and a page of its own.
'use strict';

const { launch } = require('./browser.js');
const { Stage } = require('./stage.js');
const stories = { ...require('./stories_figures.js'),
  ...require('./stories_access.js'), ...require('./stories_stuck.js'),
  ...require('./stories_real.js') };

async function main() {
  const [, , build, work, keys, ...names] = process.argv;
  const browser = await launch();
  try {
    for (const [name, story] of Object.entries(stories)) {
      if (names.length > 0 && !names.includes(name)) continue;
      const stage = new Stage(build, work), began = Date.now();
      try {
        await story({ stage, browser, keys: Number(keys),
          pictures: process.env.PICTURES });
      } finally {
        await stage.end();
      }
      console.log(`  ${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
    }
  } finally {
    await browser.close();
  }
}

main().then(() => process.exit(0), (why) => {
  console.error(why);
  process.exit(1);
});
