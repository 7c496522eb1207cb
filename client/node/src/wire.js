// SPDX-License-Identifier: Apache-2.0
// Bytes as responses. No socket, no clock.
'use strict';

const { Cursor, Malformed, More } = require('./msgpack.js');

// What hello and the errors before it need; the rest is told by hello.
const FRAME_BYTES_FIRST = 65536;
// A response is a request's largest field and a little more.
const FRAME_BYTES_MORE = 4096;

const NOTHING = Buffer.alloc(0);

/** What came is no response: the connection can't go on. */
class Broken extends Error {}

/** each(msgid, error or null, result) for what is whole in the bytes that are
 *  fed, in pieces of any size. What is kept is at most one frame's limit and
 *  one piece. */
class Responses {
  constructor(frameBytesMax, each) {
    this._limit = frameBytesMax;
    this._each = each;
    this._kept = []; // pieces of a message that is not whole
    this._keptBytes = 0;
    this._need = 1; // don't look before so many bytes are there
    this._cursor = new Cursor(NOTHING, 0, 0, 0);
  }

  /** Throws Broken. */
  feed(piece) {
    if (this._keptBytes > 0) {
      this._kept.push(piece);
      this._keptBytes += piece.length;
      // A long message in small pieces is not read anew for each.
      if (this._keptBytes < this._need) return;
      piece = Buffer.concat(this._kept, this._keptBytes);
      this._kept = [];
      this._keptBytes = 0;
    }
    const at = this._read(piece);
    if (at < piece.length) {
      this._kept.push(piece.subarray(at));
      this._keptBytes = piece.length - at;
    }
  }

  /** Where the first message begins that is not whole. */
  _read(piece) {
    const cursor = this._cursor;
    let at = 0;
    try {
      while (at < piece.length) {
        cursor.reset(piece, at, piece.length, this._limit);
        this._one(cursor);
        at = cursor.at;
      }
      return at;
    } catch (why) {
      if (why instanceof More) {
        this._need = why.need;
        return at;
      }
      if (why instanceof Malformed) {
        throw new Broken('bytes that are no MessagePack of this wire');
      }
      throw why;
    } finally {
      cursor.buffer = NOTHING; // it keeps no piece alive
    }
  }

  _one(cursor) {
    const got = cursor.value(0);
    if (!Array.isArray(got) || got.length !== 4 || got[0] !== 1 ||
        !Number.isSafeInteger(got[1])) {
      throw new Broken('a message that is no response');
    }
    let error = got[2];
    if (Buffer.isBuffer(error)) error = error.toString('latin1');
    if (error !== null && typeof error !== 'string') {
      throw new Broken('an error that is no text');
    }
    this._each(got[1], error, got[3]);
  }
}
module.exports = { Responses, Broken, FRAME_BYTES_FIRST, FRAME_BYTES_MORE };
