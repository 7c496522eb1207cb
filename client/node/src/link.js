// SPDX-License-Identifier: Apache-2.0
// One connection to a server that has said hello: calls go out in the order in
// which they are made, many in one write, and each is told its answer or its
// loss.
'use strict';

const { Lost, lost, timedOut } = require('./course.js');
const { Deadline } = require('./deadline.js');
const { Writer } = require('./msgpack.js');
const { readHello } = require('./selector.js');
const { Broken, FRAME_BYTES_MORE, Responses } = require('./wire.js');

// A connection under way that has been quiet for so long is asked whether it
// lives.
const LISTEN_MS = 250;
// How long a server that goes down may take for what it has.
const DRAIN_MS = 5000;
// What waits to be written beyond this keeps further calls waiting.
const UNSENT_BYTES_MAX = 8 << 20;

/** A question of the connection's own, among its calls; it has no deadline. */
class Probe {
  constructor(told) {
    this.isProbe = true;
    this.endMs = Infinity;
    this.told = told;
  }
}

class Link {
  /** made: what Dialer.dial gave. plan: its shared connection's.
   *  failed(course, lost): what becomes of a call that was lost. */
  constructor(made, plan, watch, failed) {
    this.endpoint = made.endpoint;
    this.hello = made.hello;
    this.serial = plan.serial;
    this.broken = null;
    this.drainingMs = 0;
    this.pending = new Map(); // msgid: Course or Probe
    this._room = []; // who waits for room, in order
    this._socket = made.socket;
    this._plan = plan;
    this._watch = watch;
    this._failed = failed;
    this._msgid = 0;
    this._writer = new Writer();
    this._isFlushing = false;
    this._isHelloPending = false;
    this._heardMs = 0;
    this._probedMs = 0; // 0: no ping is out
    this._deadline = null;
    this._timerAtMs = Infinity;
    this._flush = () => this._writeOut();
    this._look = () => this._lookAround();
    this._responses = new Responses(
      made.hello.frameBytesMax + FRAME_BYTES_MORE,
      (msgid, error, result) => this._answer(msgid, error, result));
    this._socket.on('data', (piece) => this._hear(piece));
    this._socket.on('drain', () => this._makeRoom());
    const closed = () => this.breakOff('it closed the connection');
    this._socket.on('end', closed).on('close', closed);
    this._socket.on('error', (why) => this.breakOff(why.code || why.message));
    if (this._socket.destroyed) closed();
    else this._socket.unref();
  }

  isFull() {
    return this.pending.size >= this.hello.pendingMax ||
      this._socket.writableLength + this._writer.size > UNSENT_BYTES_MAX;
  }

  /** Whether somebody was here before. */
  get isAwaited() {
    return this._room.length > 0;
  }

  // ----------------------------------------------------------------- calls

  call(course, nowMs) {
    const msgid = this._next();
    course.write(this._writer, msgid, nowMs, this.hello.resultBytesMax);
    this._sent(msgid, course, nowMs);
  }

  // A msgid comes again after 2^32 others, and never while it is pending.
  _next() {
    do {
      this._msgid = this._msgid === 0xffffffff ? 1 : this._msgid + 1;
    } while (this.pending.has(this._msgid));
    return this._msgid;
  }

  _sent(msgid, course, nowMs) {
    if (this.pending.size === 0) {
      this._socket.ref();
      this._heardMs = nowMs;
      this._probedMs = 0;
    }
    this.pending.set(msgid, course);
    this._wakeAt(Math.min(course.endMs, nowMs + LISTEN_MS), nowMs);
    if (!this._isFlushing) {
      this._isFlushing = true;
      process.nextTick(this._flush);
    }
  }

  _writeOut() {
    this._isFlushing = false;
    if (this.broken === null && this._writer.size > 0) {
      this._socket.write(this._writer.take());
    }
  }

  /** Resolves once there may be room, or the time has come. */
  waitForRoom(untilMs) {
    return new Promise((resolve) => {
      const waiter = { wake: null };
      const timer = setTimeout(() => waiter.wake(),
        Math.max(untilMs - performance.now(), 0));
      waiter.wake = () => {
        clearTimeout(timer);
        waiter.wake = () => {};
        resolve();
      };
      this._room.push(waiter);
    });
  }

  _makeRoom() {
    let count = this.hello.pendingMax - this.pending.size;
    while (this._room.length > 0 && count-- > 0) this._room.shift().wake();
  }

  // --------------------------------------------------------------- answers

  _hear(piece) {
    this._heardMs = performance.now();
    this._probedMs = 0;
    try {
      this._responses.feed(piece);
    } catch (why) {
      if (!(why instanceof Broken)) throw why;
      this.breakOff('it sent ' + why.message);
      return;
    }
    if (this._room.length > 0) this._makeRoom();
  }

  _answer(msgid, error, result) {
    const course = this.pending.get(msgid);
    if (course === undefined) return; // its deadline has passed
    this._forget(msgid);
    this._plan.backoff.attempts = 0;
    if (course.isProbe) {
      course.told(result);
      return;
    }
    const { name } = this.endpoint;
    const what = course.answered(name, this.serial, error, result,
      this.hello.resultBytesMax);
    if (what === null) {
      if (!this.hello.leads && course.ask.isChange) this._helloAgain();
      return;
    }
    if (what.error.code === 'SHUTTING_DOWN' && this.drainingMs === 0) {
      this.drainingMs = performance.now() + DRAIN_MS;
    }
    this._failed(course, what);
  }

  // It was a replica when it said hello, and takes changes: it was promoted.
  // How many shards it has now, and its epoch, is told by another hello.
  _helloAgain() {
    if (this._isHelloPending) return;
    this._isHelloPending = true;
    this._ask('hello', [], (result) => {
      this._isHelloPending = false;
      const hello = readHello(result);
      if (hello === null || !hello.leads) return;
      this.hello.leads = true;
      this._plan.selector.learn(this.endpoint, this.serial, hello,
        performance.now());
    }, performance.now());
  }

  _ask(method, params, told, nowMs) {
    const msgid = this._next();
    this._writer.value([0, msgid, method, params]);
    this._sent(msgid, new Probe(told), nowMs);
  }

  _forget(msgid) {
    this.pending.delete(msgid);
    if (this.pending.size === 0) this._socket.unref();
  }

  // --------------------------------------------------- deadlines and silence

  _wakeAt(atMs, nowMs) {
    if (atMs >= this._timerAtMs) return;
    this._deadline?.clear();
    this._timerAtMs = atMs;
    // The socket keeps the process while calls wait.
    this._deadline = new Deadline(Math.max(Math.ceil(atMs - nowMs), 1),
      this._look).unref();
  }

  _lookAround() {
    this._timerAtMs = Infinity;
    const nowMs = performance.now();
    if (this.broken !== null || this.pending.size === 0) return;
    if (this._plan.selector.serial !== this.serial) {
      this.breakOff('the store has moved to another server');
      return;
    }
    const [firstMs, lastMs] = this._expire(nowMs);
    if (this.pending.size === 0 || this._isSilent(nowMs, lastMs)) return;
    this._wakeAt(Math.min(firstMs, nowMs + LISTEN_MS), nowMs);
  }

  // Ends what is late; the first and the last deadline of the others.
  _expire(nowMs) {
    let firstMs = Infinity;
    let lastMs = 0;
    const late = [];
    for (const [msgid, course] of this.pending) {
      if (course.endMs <= nowMs) {
        late.push(course);
        this._forget(msgid);
      } else {
        firstMs = Math.min(firstMs, course.endMs);
        if (!course.isProbe) lastMs = Math.max(lastMs, course.endMs);
      }
    }
    for (const course of late) {
      if (course.isProbe) continue;
      this._failed(course,
        new Lost(timedOut(this.endpoint.name), this.serial, true));
    }
    if (late.length > 0) this._makeRoom();
    return [firstMs, lastMs];
  }

  // Asks a quiet server whether it lives, and leaves one that does not say.
  _isSilent(nowMs, lastMs) {
    if (this._probedMs > 0) {
      const { connect_timeout_ms: mostMs } = this._plan.dialer.uri.numbers;
      const patienceMs = Math.max(LISTEN_MS,
        Math.min((lastMs - nowMs) / 3, mostMs));
      if (nowMs - this._probedMs < patienceMs) return false;
      this._plan.selector.failed(this.serial);
      this.breakOff('it has gone silent');
      return true;
    }
    if (nowMs - this._heardMs >= LISTEN_MS - 1) {
      this._probedMs = nowMs;
      this._ask('ping', [], () => this._ponged(), nowMs);
    }
    return false;
  }

  // It is alive; does it confirm changes?
  _ponged() {
    const lateMs = performance.now() - LISTEN_MS;
    for (const course of this.pending.values()) {
      if (course.isProbe || !course.ask.isChange || course.ask.waitMs) continue;
      if (course.sentMs < lateMs) {
        this._watch.changesWait = true;
        return;
      }
    }
  }

  // ---------------------------------------------------------------- its end

  breakOff(why) {
    if (this.broken !== null) return;
    this.broken = why;
    this._watch.losses++;
    this._deadline?.clear();
    this._socket.destroy();
    const under = [...this.pending.values()];
    this.pending.clear();
    for (const course of under) {
      if (course.isProbe) continue;
      this._failed(course,
        new Lost(lost(this.endpoint.name, why), this.serial, true));
    }
    for (const waiter of this._room.splice(0)) waiter.wake();
  }
}

module.exports = { Link, LISTEN_MS };
