// SPDX-License-Identifier: Apache-2.0
// A request's body as it came, read before whoever parses it, and put back.
'use strict';

const http = require('./http.js');
const { Refusal } = require('./guard.js');

function hasBody(req) {
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers;
  return coding !== undefined || Number(length ?? 0) > 0;
}

function isEncoded(req) {
  const coding = req.headers['content-encoding'];
  return coding !== undefined && coding.trim().toLowerCase() !== 'identity';
}

/** The raw bytes; null: the client has left. Throws Refusal. */
async function rawBody(req, bytesMax) {
  if (!hasBody(req)) return Buffer.alloc(0);
  // A parser in front has kept them (see keepRawBody). It unzips first.
  if (req.rawBody instanceof Uint8Array && !isEncoded(req)) {
    if (req.rawBody.length > bytesMax) {
      throw new Refusal(http.problem('too_large'));
    }
    return req.rawBody;
  }
  if (req.readableDidRead || req.readableEnded || req.body !== undefined) {
    throw new Refusal(http.problem('unreadable'));
  }
  const body = await readAll(req, bytesMax);
  // Where nothing came there is nothing to parse, and no 'end' to wait for.
  if (body !== null && body.length === 0) req._body = true;
  return body;
}

function readAll(req, bytesMax) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let size = 0;
    const end = (why, body) => {
      req.off('readable', look).off('close', left).off('error', left);
      if (why) {
        reject(why);
        return;
      }
      // Put back in this turn: in the next one its 'end' would be emitted.
      if (body?.length > 0) req.unshift(body);
      resolve(body);
    };
    const left = () => end(null, null);
    const look = () => {
      let part;
      while ((part = req.read()) !== null) {
        parts.push(part);
        size += part.length;
        if (size > bytesMax) {
          end(new Refusal(http.problem('too_large')));
          return;
        }
      }
      if (req.complete) end(null, Buffer.concat(parts));
    };
    req.on('readable', look).on('close', left).on('error', left);
    if (req.complete) look();
  });
}

module.exports = { rawBody };
