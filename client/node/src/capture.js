// SPDX-License-Identifier: Apache-2.0
// A handler's answer as it goes by a node:http response. res.json sees one of
// six ways to answer; writeHead, write and end see all of them. Nothing is held
// back but the end, and the write that fills up a Content-Length: they are sent
// once the claim is settled, so that whoever has the whole answer finds it
// replayed.
'use strict';

const CLIENT_LEFT = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT',
  'ECONNABORTED']);

/** What is stored of an exception: the 500 that a server makes of it. */
const FAILED = {
  status: 500,
  headers: [['content-type', 'text/plain; charset=utf-8']],
  body: Buffer.from('Internal Server Error'),
};

/** [[name, value], ...] of what setHeader was told. */
function pairs(headers) {
  const made = [];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      made.push([name, String(one)]);
    }
  }
  return made;
}

/** writeHead's headers, in each of their forms, as if set one by one. */
function setAll(res, headers) {
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers ?? {})) {
      if (value !== undefined) res.setHeader(name, value);
    }
    return;
  }
  const flat = headers.flat();
  for (let n = 0; n < flat.length; n += 2) res.removeHeader(flat[n]);
  for (let n = 0; n < flat.length; n += 2) {
    res.appendHeader(flat[n], flat[n + 1]);
  }
}

class Capture {
  /** settle(captured, isFailed): resolves to null, or to what is to be said in
   *  the answer's place. detached: a client that leaves does not stop the
   *  handler, whose answer is for the retry. */
  constructor(req, res, settle, { resultBytesMax, detached = true,
    letGo = () => {} }) {
    this._req = req;
    this._res = res;
    this._settle = settle;
    this._most = resultBytesMax;
    this._detached = detached;
    this._letGo = letGo;
    this._head = null; // {status, message, headers}: as they were captured
    this._parts = [];
    this._sent = 0; // bytes that were written
    this._length = Infinity; // Content-Length
    this._held = []; // what fills it up
    this._isStarted = false; // something has been sent
    this._isEnded = false; // the handler has ended it
    this._isGone = false; // nobody reads it any more
    this._isOver = false; // settled
    this._isPassing = false; // what is called is for the real one
    this._ownEnd = false; // the handler destroyed it
    this._real = {};
    this._hide();
    this._install();
    if (res.destroyed || res.socket?.destroyed) this._leave();
  }

  // Nobody within may encode the answer for this client alone: others get it,
  // too. Who compresses answers stands outside, and finds the header again.
  _hide() {
    this._encodings = this._req.headers['accept-encoding'];
    delete this._req.headers['accept-encoding'];
  }

  _unhide() {
    if (this._encodings === undefined) return;
    this._req.headers['accept-encoding'] = this._encodings;
    this._encodings = undefined;
  }

  _install() {
    const res = this._res;
    const hooks = {
      writeHead: (...args) => this._writeHead(args),
      write: (...args) => this._write(...args),
      end: (...args) => this._end(...args),
      flushHeaders: () => this._flushHeaders(),
      destroy: (why) => this._destroy(why),
      emit: (name, ...args) => this._emit(name, args),
    };
    for (const [name, hook] of Object.entries(hooks)) {
      this._real[name] = res[name];
      res[name] = hook;
    }
    Object.defineProperty(res, 'writableEnded', { configurable: true,
      get: () => this._isEnded || res.finished });
  }

  _uninstall() {
    delete this._res.writableEnded;
    for (const [name, real] of Object.entries(this._real)) {
      this._res[name] = real;
    }
  }

  _pass(name, ...args) {
    const before = this._isPassing;
    this._isPassing = true;
    try {
      return this._real[name].apply(this._res, args);
    } finally {
      this._isPassing = before;
    }
  }

  // ------------------------------------------------------------ the handler

  _writeHead(args) {
    if (this._isPassing || this._isStarted) {
      return this._pass('writeHead', ...args);
    }
    if (this._isEnded) return this._res;
    const [status, second, third] = args;
    const hasReason = typeof second === 'string';
    this._res.statusCode = status;
    if (hasReason) this._res.statusMessage = second;
    setAll(this._res, hasReason ? third : second ?? third);
    return this._res;
  }

  _keepHead() {
    if (this._head !== null) return;
    const res = this._res;
    this._head = { status: res.statusCode, message: res.statusMessage,
      headers: { ...res.getHeaders() } };
    const type = String(this._head.headers['content-type'] ?? '');
    this._length = Number(this._head.headers['content-length'] ?? Infinity);
    // It has no end to wait for.
    if (/^[ \t]*text\/event-stream/i.test(type)) this._parts = null;
  }

  _start() {
    this._keepHead();
    if (this._isStarted) return;
    this._isStarted = true;
    this._unhide();
  }

  _add(chunk, encoding) {
    if (chunk === undefined || chunk === null) return;
    const length = typeof chunk === 'string'
      ? Buffer.byteLength(chunk, encoding) : chunk.length;
    this._sent += length;
    if (this._sent > this._most) this._parts = null;
    // Copied: its owner may use it again.
    this._parts?.push(Buffer.from(chunk, encoding));
  }

  _write(chunk, encoding, done) {
    if (this._isPassing) return this._pass('write', chunk, encoding, done);
    if (typeof encoding === 'function') {
      [encoding, done] = [undefined, encoding];
    }
    if (this._isEnded) {
      const why = new Error('write after end');
      if (typeof done === 'function') process.nextTick(done, why);
      return false;
    }
    this._keepHead();
    this._add(chunk, encoding);
    if (this._isGone) {
      if (typeof done === 'function') process.nextTick(done);
      return true;
    }
    if (this._sent >= this._length) {
      this._held.push([chunk, encoding, done]);
      return true;
    }
    this._start();
    return this._pass('write', chunk, encoding, done);
  }

  _flushHeaders() {
    if (this._isGone || this._isEnded) return undefined;
    this._start();
    return this._pass('flushHeaders');
  }

  _end(chunk, encoding, done) {
    if (this._isPassing) return this._pass('end', chunk, encoding, done);
    if (typeof chunk === 'function') [chunk, done] = [undefined, chunk];
    if (typeof encoding === 'function') {
      [encoding, done] = [undefined, encoding];
    }
    if (this._isEnded) {
      if (typeof done === 'function') process.nextTick(done);
      return this._res;
    }
    this._keepHead();
    this._add(chunk, encoding);
    this._isEnded = true;
    this._finish(this._captured(), false).then((trouble) => {
      this._conclude(trouble, chunk, encoding, done);
    });
    return this._res;
  }

  _captured() {
    return {
      status: this._head.status,
      headers: pairs(this._head.headers),
      body: this._parts === null ? null : Buffer.concat(this._parts),
    };
  }

  // What settle throws is a bug of ours; the answer is not kept for it.
  async _finish(captured, isFailed) {
    try {
      return await this._settle(captured, isFailed);
    } catch (why) {
      console.error(why);
      return null;
    }
  }

  // ---------------------------------------------------------------- the end

  _conclude(trouble, chunk, encoding, done) {
    this._isOver = true;
    this._parts = null;
    this._unhide();
    this._uninstall();
    const res = this._res;
    if (this._isGone) {
      this._closeLate(done);
    } else if (trouble !== null && !this._isStarted) {
      say(res, trouble);
    } else if (trouble?.isStale) {
      res.destroy(); // without its end, which a client sees
    } else {
      if (!this._isStarted) this._restoreHead();
      for (const held of this._held) res.write(...held);
      res.end(chunk, encoding, done);
    }
  }

  // An error handler that came after the end may have changed them.
  _restoreHead() {
    const res = this._res;
    const { status, message, headers } = this._head;
    for (const name of res.getHeaderNames()) {
      if (!(name in headers)) res.removeHeader(name);
    }
    for (const [name, value] of Object.entries(headers)) {
      if (res.getHeader(name) !== value) res.setHeader(name, value);
    }
    res.statusCode = status;
    res.statusMessage = message;
  }

  _closeLate(done) {
    const res = this._res;
    res.destroyed = true;
    res._closed = true;
    if (typeof done === 'function') process.nextTick(done);
    process.nextTick(() => res.emit('close'));
  }

  // ------------------------------------------------------- the client leaves

  _destroy(why) {
    this._ownEnd = true;
    return this._pass('destroy', why);
  }

  _emit(name, args) {
    if (name === 'close' && !this._isOver && this._isWithheld()) return true;
    return this._real.emit.call(this._res, name, ...args);
  }

  // 'close' came before the answer was settled: who has closed it?
  _isWithheld() {
    if (this._isEnded || this._isGone) {
      this._isGone = true; // settled late: told then
      return true;
    }
    if (this._ownEnd || (this._isStarted && !this._isLeft())) {
      this._isEnded = true;
      this._finish(FAILED, true).then(() => this._conclude(null));
      return false;
    }
    if (!this._detached) {
      this._letGo(); // it may stop now; what it still ends is recorded
      this._isGone = true;
      return false;
    }
    this._leave();
    return true;
  }

  _isLeft() {
    const socket = this._res.socket ?? this._req.socket;
    return socket === null || socket.readableEnded ||
      CLIENT_LEFT.has(socket.errored?.code);
  }

  // The handler goes on, and finds a response that takes everything.
  _leave() {
    const res = this._res;
    this._isGone = true;
    res.destroyed = false;
    res._closed = false;
    process.nextTick(() => this._real.emit.call(res, 'drain'));
  }
}

/** Says an answer of ours, over a response that nothing was sent on. */
function say(res, answer) {
  for (const name of res.getHeaderNames()) {
    if (REPLACED.test(name)) res.removeHeader(name);
  }
  res.statusCode = answer.status;
  res.statusMessage = undefined;
  for (const [name, value] of answer.headers) res.appendHeader(name, value);
  const bodiless = answer.status === 204 || answer.status === 304;
  if (!bodiless) res.setHeader('content-length', answer.body.length);
  res.end(bodiless ? undefined : answer.body);
}
// Of the handler's, which is not the one who speaks; what was set in front
// (CORS, a request's id) stays.
const REPLACED = new RegExp('^(?:content-.*|transfer-encoding|etag|location|' +
  'retry-after|last-modified|set-cookie|trailer)$');

module.exports = { Capture, say };
