// SPDX-License-Identifier: Apache-2.0
// A connection to one endpoint: its addresses tried in turns, TLS, hello; up
// to a deadline.
'use strict';

const dns = require('node:dns');
const net = require('node:net');
const { Deadline } = require('./deadline.js');
const { fail, said } = require('./errors.js');
const { Writer } = require('./msgpack.js');
const { readHello } = require('./selector.js');
const tls = require('./tls.js');
const { Broken, FRAME_BYTES_FIRST, Responses } = require('./wire.js');

// The next address of a name is tried after so long, beside the one before.
const RACE_MS = 250;
const ADDRESSES_MAX = 16;

function cannot(endpoint, why) {
  return fail('CONNECT', `can't connect to ${endpoint.name}: ${why}`,
    { endpoint: endpoint.name });
}

function silent(endpoint, why) {
  return fail('CONNECT', `can't talk to ${endpoint.name}: ${why}`,
    { endpoint: endpoint.name });
}

const LATE = 'it did not answer in time';

function words(error) {
  const told = {
    ECONNREFUSED: 'connection refused', ECONNRESET: 'connection reset',
    ENOENT: 'no such file', EACCES: 'permission denied',
    EHOSTUNREACH: 'no route to host', ENETUNREACH: 'network is unreachable',
    ENOTFOUND: 'no such name', EAI_AGAIN: 'the resolver did not answer',
  };
  return told[error.code] || error.code || error.message;
}

/** work's end, or late() once the time has come. */
function within(untilMs, work, late) {
  return new Promise((resolve, reject) => {
    const deadline = new Deadline(untilMs - performance.now(),
      () => reject(late()));
    work.then(resolve, reject).finally(() => deadline.clear());
  });
}

/** What a net.connect is made with, for each address of an endpoint. */
async function addressesOf(endpoint, untilMs) {
  if (endpoint.port === 0) return [{ path: endpoint.host, key: endpoint.host }];
  const { host, port } = endpoint;
  if (net.isIP(host)) return [{ host, port, key: host }];
  const unknown = (why) => fail('CONNECT', `the host of ${endpoint.name} is ` +
    `not known: ${why}; check the name`, { endpoint: endpoint.name });
  let found;
  try {
    found = await within(untilMs,
      dns.promises.lookup(host, { all: true, verbatim: true }),
      () => unknown('the resolver did not answer in time'));
  } catch (why) {
    throw why.code === 'CONNECT' ? why : unknown(words(why));
  }
  return found.slice(0, ADDRESSES_MAX)
    .map(({ address }) => ({ host: address, port, key: address }));
}

/** The first that connects; a further one begins each 250 ms, or sooner where
 *  the time is short. Rejects with an Error of net's. */
function race(addresses, untilMs) {
  return new Promise((resolve, reject) => {
    const toBegin = [...addresses];
    const waiting = new Set();
    const leftMs = () => Math.max(untilMs - performance.now(), 0);
    const stepMs = Math.min(RACE_MS, leftMs() / (toBegin.length + 1));
    let stepper = null;
    let why = new Error(LATE);
    const deadline = new Deadline(leftMs(), () => end(null, null));
    function end(socket, address) {
      deadline.clear();
      clearTimeout(stepper);
      for (const one of waiting) if (one !== socket) one.destroy();
      if (socket) resolve([socket, address]);
      else reject(why);
    }
    function begin() {
      clearTimeout(stepper);
      const address = toBegin.shift();
      if (!address) {
        if (waiting.size === 0) end(null, null);
        return;
      }
      const socket = net.connect({ ...address, noDelay: true });
      waiting.add(socket);
      socket.on('error', (error) => {
        why = error;
        if (waiting.delete(socket)) begin();
      });
      socket.once('connect', () => {
        if (!waiting.has(socket)) return;
        socket.removeAllListeners('error');
        end(socket, address);
      });
      if (toBegin.length > 0) stepper = setTimeout(begin, stepMs);
    }
    begin();
  });
}

function stranger(endpoint, first) {
  const text = first.toString('latin1', 0, 64);
  let kind = '';
  if (text.startsWith('HTTP/')) kind = ', but HTTP';
  else if (/^[-+:$][^]*\r\n/.test(text)) kind = ", but Redis'";
  else if (first[0] === 0x15) kind = ', but TLS: write idems://';
  return fail('CONNECT', `something listens at ${endpoint.name} and does not ` +
    `speak idemstore's protocol${kind}; check the port`,
  { endpoint: endpoint.name });
}

/** The result of hello. */
function exchange(socket, endpoint, request, untilMs) {
  return new Promise((resolve, reject) => {
    const { name } = endpoint;
    let first = null;
    const responses = new Responses(FRAME_BYTES_FIRST, (msgid, error, result) =>
      end(error === null ? null : said(name, error), result));
    const deadline = new Deadline(untilMs - performance.now(), () =>
      end(silent(endpoint, 'it takes connections and says nothing; is that ' +
        'idemstored, or another program?')));
    const onData = (piece) => {
      first ??= piece;
      try {
        responses.feed(piece);
      } catch (why) {
        end(why instanceof Broken ? stranger(endpoint, first) : why);
      }
    };
    const onClose = () => end(silent(endpoint, 'it closed the connection ' +
      'before it said a word; is that idemstored, or another program?'));
    // What it said before it closed may still be on its way in.
    const onError = (why) => {
      if (tls.isOfTls(why)) end(tls.failed(name, why));
    };
    function end(why, result) {
      deadline.clear();
      socket.off('data', onData).off('close', onClose).off('end', onClose)
        .off('error', onError);
      if (why) reject(why);
      else resolve(result);
    }
    socket.on('data', onData).on('close', onClose).on('end', onClose)
      .on('error', onError);
    socket.write(request);
  });
}

// As a str where it can be one.
function asText(secret) {
  const text = secret.toString('utf8');
  return Buffer.from(text, 'utf8').equals(secret) ? text : secret;
}

/** What each connection of a store is made with. */
class Dialer {
  constructor(uri, client) {
    this.uri = uri;
    this.client = uri.texts.client ?? client;
    this.context = tls.context(uri);
  }

  /** {socket, hello, endpoint}. Throws CONNECT, TLS, or what the server
   *  said. good: endpoint's name: the address that answered last. */
  async dial(endpoint, shard, untilMs, good) {
    const addresses = await addressesOf(endpoint, untilMs);
    const last = addresses.findIndex((a) => a.key === good.get(endpoint.name));
    if (last > 0) addresses.unshift(...addresses.splice(last, 1));
    let why = null;
    while (addresses.length > 0) {
      const share = (untilMs - performance.now()) / addresses.length;
      let socket, address;
      try {
        [socket, address] = await race(addresses, untilMs);
      } catch (error) {
        throw why ?? cannot(endpoint, words(error));
      }
      addresses.splice(addresses.indexOf(address), 1);
      const endMs = addresses.length > 0 ? performance.now() + share : untilMs;
      try {
        const made = await this._handshake(socket, endpoint, shard, endMs);
        good.set(endpoint.name, address.key);
        return made;
      } catch (error) {
        socket.destroy();
        if (error.code !== 'CONNECT') throw error;
        why = error;
      }
    }
    throw why ?? cannot(endpoint, 'it has no address');
  }

  async _handshake(plain, endpoint, shard, untilMs) {
    plain.on('error', () => {}); // told by 'close'
    let socket = plain;
    if (this.context !== null) {
      const name = this.uri.texts.server_name ?? endpoint.host;
      socket = await within(untilMs,
        tls.secure(plain, this.context, name, endpoint),
        () => silent(endpoint, LATE));
      socket.on('error', () => {});
    }
    const result = await exchange(socket, endpoint, this._request(shard),
      untilMs);
    const hello = readHello(result);
    if (hello === null) {
      throw fail('CONNECT', `${endpoint.name} says hello in words that this ` +
        'version does not know', { endpoint: endpoint.name });
    }
    return { socket, hello, endpoint };
  }

  _request(shard) {
    const asked = { client: this.client };
    if (shard !== null) asked.shard = shard;
    if (this.uri.secret !== null) asked.secret = asText(this.uri.secret);
    const writer = new Writer(256);
    writer.value([0, 0, 'hello', [asked]]);
    return writer.take();
  }
}

module.exports = { Dialer };
