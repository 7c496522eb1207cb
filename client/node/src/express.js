// SPDX-License-Identifier: Apache-2.0
// Idempotency-Key for express 4 and 5, and for whatever else calls a function
// (req, res, next) with node's own request and response.
//
//   app.use(idempotency({ store, principal: (req) => req.get('x-user') }));
//   app.use(express.json());
'use strict';

const http = require('./http.js');
const { rawBody } = require('./body.js');
const { say } = require('./capture.js');
const { captured, given } = require('./covered.js');
const { argument } = require('./errors.js');
const { Guard, Refusal } = require('./guard.js');
const { under } = require('./lease.js');

// The names of what reads bodies: express' own parsers, and multer's.
const PARSERS = new Set(['jsonParser', 'urlencodedParser', 'rawParser',
  'textParser', 'multerMiddleware']);

/** For express.json({ verify: keepRawBody }): leaves the bytes as they came, so
 *  that idempotency({ rawBody: true }) may stand behind it. */
function keepRawBody(req, res, bytes) {
  req.rawBody = bytes;
}

// Whether it runs for each path, as express 4 and 5 say it.
function isForAll(layer) {
  return Boolean(layer.slash || layer.regexp?.fast_slash);
}

/** Throws where something in front of it has read the body by then. */
function checkOrder(app) {
  const stack = (app._router ?? app.router)?.stack ?? [];
  const parser = stack.find(
    (layer) => PARSERS.has(layer.name) && isForAll(layer));
  if (parser === undefined) return;
  throw argument(`${parser.name} stands in front of idempotency(), and what ` +
    'it leaves of a body can\'t be compared: app.use(idempotency(...)) goes ' +
    'in front of it. Or let it keep the bytes, express.json({ verify: ' +
    'keepRawBody }), and say so with rawBody: true');
}

/** What becomes of a request that nobody routed: 4xx is express' own, or a
 *  parser's. */
function originOf(req, res) {
  const isRouted = req.route !== undefined || !('app' in req);
  const status = res.statusCode;
  return !isRouted && status >= 400 && status <= 499 ? 'before' : 'handler';
}

async function cover(guard, req, res, next) {
  const target = req.originalUrl ?? req.url;
  const contentType = req.headers['content-type'];
  const key = guard.readKey(given(req, 'idempotency-key'));
  guard.checkBody(contentType, req.headers['content-length']);
  const body = await rawBody(req, guard.bodyBytesMax);
  if (body === null) return; // the client has left, and nothing has begun
  const entered = await guard.enter(
    { method: req.method, target, contentType, key, body }, req);
  if (entered.isPassed) {
    next();
    return;
  }
  const { claim } = entered;
  req.idempotencyClaim = claim;
  captured(guard, req, res, claim, () => originOf(req, res));
  under(claim, next);
}

/** The middleware. See the types for its options. */
function idempotency(options) {
  const guard = new Guard(options);
  const handle = (req, res, next) => {
    const hasHeader = req.headers['idempotency-key'] !== undefined;
    const path = (req.originalUrl ?? req.url).split('?', 1)[0];
    if (!guard.covers(req.method, path, hasHeader)) {
      next();
      return;
    }
    cover(guard, req, res, next).catch((why) => {
      if (!(why instanceof Refusal)) next(why);
      else {
        complain(guard, why, req);
        say(res, why.answer);
      }
    });
  };
  const made = (req, res, next) => handle(req, res, next);
  // What looks like an application is told by express where it is mounted:
  // so it can refuse at the start, and not at the first request.
  made.handle = handle;
  made.set = () => made;
  made.emit = (name, app) => {
    if (name === 'mount' && !guard.options.rawBody) checkOrder(app);
  };
  made.health = guard.health;
  return made;
}

const UNREADABLE = http.problem('unreadable').body;

function complain(guard, refusal, req) {
  if (!refusal.answer.body.equals(UNREADABLE)) return;
  guard.log.error(`idemstore: the body of ${req.method} ` +
    `${req.path ?? req.url} was read in front of idempotency(), which must ` +
    'stand in front of what reads bodies; it was refused');
}

module.exports = { idempotency, keepRawBody };
