// SPDX-License-Identifier: Apache-2.0
// The URI's grammar, part by part. Every refusal names its part, and no part
// that may be the secret is ever quoted.
//
//   idem://[:SECRET@]HOST[:PORT][,HOST[:PORT]...][/NAMESPACE][?OPTIONS]
//   idems://...                      the same over TLS
//   idem+unix://[:SECRET@]/PATH/TO/SOCKET[?OPTIONS]
'use strict';

const fs = require('node:fs');
const { fail } = require('./errors.js');

const PORT = 7117;
const HOSTS_MAX = 16;
const SECRET_BYTES_MAX = 256;
const NS_BYTES_MAX = 64;
const CLIENT_BYTES_MAX = 128;

/** port 0: a Unix socket at the path `host`. */
class Endpoint {
  constructor(host, port) {
    this.host = host;
    this.port = port;
    if (port === 0) this.name = 'unix:' + host;
    else if (host.includes(':')) this.name = `[${host}]:${port}`;
    else this.name = `${host}:${port}`;
  }
}

// name: [default, least, most]
const NUMBERS = {
  timeout_ms: [5000, 1, 86400000],
  connect_timeout_ms: [1000, 1, 60000],
  fail_fast_ms: [0, 500, 60000],
  connect_rounds: [0, 1, 1000],
  shard_aware: [1, 0, 1],
};
const TEXTS = ['namespace', 'secret_file', 'client', 'ca', 'cert', 'key',
  'verify', 'server_name'];

function bad(text) {
  return fail('URI', "the URI's " + text);
}

function hidden(what) {
  return bad(what + ' has a byte below 0x21, or 0x7f; is there a blank or a ' +
    'line end in it?');
}

/** The bytes of a part, its %XX read. */
function decode(part, what, most, isPath = false) {
  const raw = Buffer.from(part, 'utf8');
  if (raw.some((c) => c < 0x21 || c === 0x7f)) throw hidden(what);
  const made = [];
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] !== 0x25) {
      made.push(raw[at]);
      continue;
    }
    const digits = raw.toString('latin1', at + 1, at + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) {
      throw bad(what + ' has a % without two hex digits; a % itself is ' +
        'written %25');
    }
    made.push(parseInt(digits, 16));
    at += 2;
  }
  if (made.some((c) => (c < 0x21 && !(isPath && c === 0x20)) || c === 0x7f)) {
    throw hidden(what);
  }
  if (made.length > most) throw bad(`${what} is over ${most} bytes long`);
  return Buffer.from(made);
}

function decodeText(part, what, most, isPath) {
  return decode(part, what, most, isPath).toString('utf8');
}

function number(text, least, most) {
  if (!/^[0-9]{1,10}$/.test(text)) return null;
  const value = Number(text);
  return value >= least && value <= most ? value : null;
}

/** "host:port". Throws an Error that says what is wrong. */
function endpoint(text, defaultPort = 0) {
  let host = text;
  let portText = '';
  let hasPort = false;
  if (text.startsWith('[')) {
    const end = text.indexOf(']');
    const rest = end < 0 ? '' : text.slice(end + 1);
    hasPort = rest.startsWith(':');
    if (end < 0 || (rest && !hasPort)) {
      throw new Error('an IPv6 address stands in brackets, [::1]:7117');
    }
    host = text.slice(1, end);
    portText = rest.slice(1);
  } else {
    const colon = text.indexOf(':');
    hasPort = colon >= 0;
    if (hasPort) {
      host = text.slice(0, colon);
      portText = text.slice(colon + 1);
    }
  }
  if (!/^[!-~]{1,255}$/.test(host) || /[@/?#[\]%]/.test(host)) {
    throw new Error('a host is a name, an IPv4 address or [an IPv6 address]');
  }
  const port = hasPort ? number(portText, 1, 65535) : defaultPort;
  if (!port) throw new Error('a port is a number from 1 to 65535');
  return new Endpoint(host, port);
}

function readEndpoints(uri, hosts) {
  const each = hosts.split(',');
  if (each.length > HOSTS_MAX) {
    throw fail('URI', `the URI names more than ${HOSTS_MAX} hosts`);
  }
  each.forEach((one, n) => {
    try {
      uri.endpoints.push(endpoint(one, PORT));
    } catch (why) {
      throw bad(`host number ${n + 1}: ${why.message}`);
    }
  });
}

/** Takes the secret out; what is left of the authority. */
function readUserinfo(uri, authority, whole) {
  const at = authority.lastIndexOf('@');
  if (at < 0) {
    if (authority.startsWith(':') && whole.includes('@')) {
      throw bad('secret has a / or a ? in it: write %2F, %3F');
    }
    return authority;
  }
  if (!authority.startsWith(':')) {
    throw fail('URI', 'the URI has a user name, there are none: write ' +
      ':SECRET@ before the host');
  }
  uri.secret = decode(authority.slice(1, at), 'secret', SECRET_BYTES_MAX);
  return authority.slice(at + 1);
}

function readSecretFile(path) {
  let file;
  try {
    file = fs.readFileSync(path);
  } catch (why) {
    throw bad(`secret_file ${path.slice(0, 200)} can't be read: ${why.code}`);
  }
  const end = file.findIndex((c) => c === 10 || c === 13);
  const secret = end < 0 ? file : file.subarray(0, end);
  if (secret.length < 1 || secret.length > SECRET_BYTES_MAX) {
    throw fail('URI', 'the first line of secret_file must have 1 to ' +
      `${SECRET_BYTES_MAX} bytes`);
  }
  if (secret.some((c) => c < 0x20 || c === 0x7f)) {
    throw hidden('secret_file, in its first line,');
  }
  return secret;
}

function readOption(uri, name, value) {
  if (Object.hasOwn(NUMBERS, name)) {
    const [, least, most] = NUMBERS[name];
    const read = number(value, least, most);
    if (read === null) {
      throw bad(`${name} is a number from ${least} to ${most}`);
    }
    uri.numbers[name] = read;
  } else if (name === 'namespace') {
    uri.ns = decode(value, name, NS_BYTES_MAX);
  } else if (name === 'client') {
    uri.texts[name] = decodeText(value, name, CLIENT_BYTES_MAX);
  } else if (name === 'verify') {
    if (!['full', 'ca', 'none'].includes(value)) {
      throw bad('verify is full, ca or none');
    }
    uri.texts[name] = value;
  } else if (TEXTS.includes(name)) {
    uri.texts[name] = decodeText(value, name, 4095, true);
  } else {
    throw fail('URI', `the URI has an unknown option, ${name.slice(0, 40)}; ` +
      'there are ' + [...Object.keys(NUMBERS), ...TEXTS].join(', '));
  }
}

function readOptions(uri, query) {
  for (const one of query.split('&')) {
    if (!one) continue;
    const equals = one.indexOf('=');
    const name = equals < 0 ? one : one.slice(0, equals);
    if (/[\x00-\x20\x7f]/.test(name)) throw hidden('option name');
    if (equals < 0) throw bad(`option ${name.slice(0, 40)} has no =value`);
    readOption(uri, name, one.slice(equals + 1));
  }
}

function cut(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text, '', false]
    : [text.slice(0, at), text.slice(at + mark.length), true];
}

function readUnix(uri, rest) {
  const [authority, path, has] = cut(rest, '/');
  const none = fail('URI',
    'the URI names no socket: idem+unix:///path/to/it');
  if (!has) throw none;
  if (readUserinfo(uri, authority, rest)) {
    throw bad('socket path must begin with a slash: idem+unix:///path/to/it');
  }
  if (!path) throw none;
  uri.endpoints.push(
    new Endpoint(decodeText('/' + path, 'socket path', 107, true), 0));
}

// The URI's own comes first, then the argument, then secret_file, then the
// environment.
function readSecret(uri, given) {
  if (uri.secret !== null) return;
  if (given === undefined && uri.texts.secret_file !== undefined) {
    uri.secret = readSecretFile(uri.texts.secret_file);
    return;
  }
  const secret = given ?? (process.env.IDEMSTORE_SECRET || undefined);
  if (secret === undefined) return;
  uri.secret = Buffer.from(secret);
  if (uri.secret.length < 1 || uri.secret.length > SECRET_BYTES_MAX) {
    throw fail('URI', `the secret must have 1 to ${SECRET_BYTES_MAX} bytes`);
  }
}

/** All that a URI says, with what it leaves out. Throws code URI. */
function parse(text, secret) {
  const uri = {
    endpoints: [], tls: false, secret: null, ns: Buffer.alloc(0), texts: {},
    numbers: {},
  };
  for (const name of Object.keys(NUMBERS)) uri.numbers[name] = NUMBERS[name][0];
  const [scheme, after, has] = cut(String(text), '://');
  if (!has || !['idem', 'idems', 'idem+unix'].includes(scheme)) {
    throw bad('scheme is idem://, idems:// or idem+unix://');
  }
  uri.tls = scheme === 'idems';
  const [rest, query] = cut(after, '?');
  if (scheme === 'idem+unix') {
    readUnix(uri, rest);
  } else {
    const [authority, ns] = cut(rest, '/');
    readEndpoints(uri, readUserinfo(uri, authority, rest + query));
    uri.ns = decode(ns, 'namespace', NS_BYTES_MAX);
  }
  readOptions(uri, query);
  readSecret(uri, secret);
  return uri;
}

module.exports = { Endpoint, endpoint, parse };
