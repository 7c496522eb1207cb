// SPDX-License-Identifier: Apache-2.0
// The client's half of TLS.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');
const { fail } = require('./errors.js');

function file(path, what) {
  try {
    return fs.readFileSync(path);
  } catch (why) {
    throw fail('TLS', `the URI's ${what} can't be used: ${why.code}`);
  }
}

function made(options, what) {
  try {
    return tls.createSecureContext(options);
  } catch (why) {
    throw fail('TLS', `the URI's ${what} can't be used: ${reason(why)}`);
  }
}

function checkCa(ca) {
  if (!/-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/.test(ca)) {
    throw fail('TLS', "the URI's ca can't be used: it holds no certificate " +
      'in PEM form');
  }
}

/** What tls.connect takes; null without idems://. Throws code TLS. */
function context(uri) {
  if (!uri.tls) return null;
  const { texts } = uri;
  const verify = texts.verify ?? 'full';
  const options = { minVersion: 'TLSv1.2' };
  if (texts.ca !== undefined) {
    options.ca = file(texts.ca, 'ca');
    checkCa(options.ca.toString('latin1'));
    made(options, 'ca');
  }
  if (texts.cert !== undefined) {
    options.cert = file(texts.cert, 'cert');
    options.key = texts.key === undefined ? options.cert
      : file(texts.key, 'key');
  }
  return {
    secureContext: made(options, 'cert or key'),
    rejectUnauthorized: verify !== 'none',
    ...(verify === 'full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

function reason(why) {
  return String(why.reason || why.code || why.message).replace(/_/g, ' ')
    .toLowerCase();
}

function isOfTls(why) {
  const code = String(why.code);
  return code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') ||
    why.library !== undefined || CERTIFICATE.has(code);
}
const CERTIFICATE = new Set([
  'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN', 'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE', 'CERT_CHAIN_TOO_LONG', 'CERT_REVOKED',
  'CERT_UNTRUSTED', 'CERT_REJECTED', 'INVALID_CA', 'INVALID_PURPOSE',
  'HOSTNAME_MISMATCH', 'EPROTO']);

function failed(name, why) {
  return fail('TLS', `no TLS connection to ${name}: ${reason(why)}`,
    { endpoint: name });
}

/** The socket over which to speak, once hands are shaken. */
function secure(plain, options, serverName, endpoint) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ ...options, socket: plain, host: serverName,
      ...(isName(serverName) ? { servername: serverName } : {}) });
    const silent = () => end(fail('CONNECT', "can't talk to " + endpoint.name +
      ': it closed the connection within the handshake; does it speak TLS?',
    { endpoint: endpoint.name }));
    const broken = (why) => {
      if (isOfTls(why)) end(failed(endpoint.name, why));
      else silent();
    };
    function end(why) {
      socket.off('close', silent).off('error', broken);
      socket.on('error', () => {});
      if (why) {
        socket.destroy();
        reject(why);
      } else {
        resolve(socket);
      }
    }
    socket.once('secureConnect', () => end(null));
    socket.on('close', silent).on('error', broken);
  });
}

function isName(host) {
  return net.isIP(host) === 0;
}

module.exports = { context, secure, failed, isOfTls };
