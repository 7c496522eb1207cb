// SPDX-License-Identifier: Apache-2.0
// metrics.js -- reads /metrics, and tells what was in the last seconds by the
// difference of two such pages.
'use strict';

const KEPT_MS = 5 * 60 * 1000;
const RATE_MS = 10 * 1000;
const LATENCY_MS = 60 * 1000;

/** name -> [{labels, value}]; the prefix idemstore_ is left out. */
function parseMetrics(text) {
  const all = new Map();
  const line = /^idemstore_([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/;
  for (const one of text.split('\n')) {
    const found = line.exec(one);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? '')
      .matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name] = value.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
    }
    if (!all.has(found[1])) all.set(found[1], []);
    all.get(found[1]).push({ labels, value: Number(found[3]) });
  }
  return all;
}

function matches(labels, wanted) {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

/** The sum of a name's samples that have these labels; null: there is none. */
function valueOf(page, name, wanted = {}) {
  const some = (page.of.get(name) ?? []).filter((s) => matches(s.labels, wanted));
  return some.length ? some.reduce((sum, s) => sum + s.value, 0) : null;
}

/** Pages of one life of the process, the newest last. */
class History {
  constructor() {
    this.pages = [];
  }

  /** True: the process is another one than before: it has run for less long
   *  than that one had, or than it is since that one was heard. */
  add(text, atMs) {
    const page = { atMs, of: parseMetrics(text) };
    page.uptime = valueOf(page, 'uptime_seconds') ?? 0;
    const last = this.last;
    const isNew = last !== undefined && (page.uptime < last.uptime
      || 1000 * page.uptime < atMs - last.atMs);
    if (isNew) this.pages = [];
    this.pages.push(page);
    while (atMs - this.pages[0].atMs > KEPT_MS) this.pages.shift();
    return isNew;
  }

  get last() {
    return this.pages.at(-1);
  }

  /** The page that is windowMs before `page`, or the oldest one. */
  before(page, windowMs) {
    const at = this.pages.indexOf(page);
    let i = at;
    while (i > 0 && page.atMs - this.pages[i].atMs < windowMs) i--;
    return i === at ? null : this.pages[i];
  }

  windowS(windowMs) {
    const from = this.before(this.last, windowMs);
    return from ? (this.last.atMs - from.atMs) / 1000 : 0;
  }

  /** By the daemon's clock: what was on the way does not count. */
  rateAt(page, windowMs, name, wanted) {
    const from = this.before(page, windowMs);
    if (from === null || page.uptime <= from.uptime) return null;
    return ((valueOf(page, name, wanted) ?? 0)
      - (valueOf(from, name, wanted) ?? 0)) / (page.uptime - from.uptime);
  }

  rate(name, wanted = {}) {
    return this.rateAt(this.last, RATE_MS, name, wanted);
  }

  /** A name's rate at each page: for a line. */
  line(name, wanted = {}) {
    return this.pages.map((page) => [page.atMs,
      this.rateAt(page, RATE_MS, name, wanted)]).filter(([, y]) => y !== null);
  }

  /** What a histogram has taken in the last minute: by upper bound, in s. */
  histogram(name, wanted) {
    const from = this.before(this.last, LATENCY_MS);
    const rows = new Map();
    for (const [page, sign] of [[this.last, 1], [from, -1]]) {
      if (!page) continue;
      for (const { labels, value } of page.of.get(`${name}_bucket`) ?? []) {
        if (!matches(labels, wanted)) continue;
        const le = labels.le === '+Inf' ? Infinity : Number(labels.le);
        rows.set(le, (rows.get(le) ?? 0) + sign * value);
      }
    }
    return [...rows].sort(([a], [b]) => a - b);
  }
}

/** The upper end of the bucket that the share lies in; null: nothing came. */
function quantile(buckets, share) {
  const all = buckets.at(-1)?.[1] ?? 0;
  if (all <= 0) return null;
  return buckets.find(([, cumulative]) => cumulative >= all * share)[0];
}
