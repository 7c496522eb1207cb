// SPDX-License-Identifier: Apache-2.0
// Idempotency-Key for NestJS 11, over express and over fastify.
//
//   @Module({ imports: [IdempotencyModule.forRoot({ store, principal })] })
//
//   @Post() @Idempotent() pay(@Body() order: Order) { ... }
'use strict';

require('reflect-metadata');
const { Inject, Injectable, Module } = require('@nestjs/common');
const { APP_INTERCEPTOR, HttpAdapterHost, Reflector } =
  require('@nestjs/core');
const { Observable } = require('rxjs');
const http = require('./http.js');
const { rawBody } = require('./body.js');
const { say } = require('./capture.js');
const { captured, given } = require('./covered.js');
const { argument } = require('./errors.js');
const { Guard, Refusal } = require('./guard.js');
const { currentClaim, under } = require('./lease.js');

const OPTIONS = Symbol('idemstore options');
const COVERED = Symbol('idemstore covers this handler');
const PARSERS = new Set(['jsonParser', 'urlencodedParser', 'rawParser',
  'textParser']);

// node's request: its body as it came, or the Refusal that its reading ended in
const bodies = new WeakMap();

/** A handler that runs once per Idempotency-Key. */
function Idempotent() {
  return (target, name, descriptor) => {
    const handler = descriptor.value;
    function begin(...args) {
      const claim = currentClaim();
      // Guards, pipes and validation are behind it.
      if (claim !== null) claim._began = true;
      return handler.apply(this, args);
    }
    Object.defineProperty(begin, 'name', { value: handler.name });
    for (const key of Reflect.getMetadataKeys(handler)) {
      Reflect.defineMetadata(key, Reflect.getMetadata(key, handler), begin);
    }
    Reflect.defineMetadata(COVERED, true, begin);
    descriptor.value = begin;
    return descriptor;
  };
}

/** A decorator's work without decorators' syntax. */
function decorate(target, decorators, params = []) {
  for (const one of decorators) one(target);
  params.forEach((token, n) => Inject(token)(target, undefined, n));
}

/** In front of Nest's parsers, which it registers after the modules are made:
 *  keeps the bytes of each request that has the header. */
class IdempotencyBodies {
  constructor(options, host) {
    this._guard = new Guard(options);
    const adapter = host.httpAdapter;
    if (adapter === undefined || adapter === null) return; // no HTTP here
    if (adapter.getType() === 'fastify') this._tapFastify(adapter);
    else this._readFirst(adapter);
  }

  _readFirst(adapter) {
    const app = adapter.getInstance();
    const stack = (app._router ?? app.router)?.stack ?? [];
    const parser = stack.find((layer) => PARSERS.has(layer.name));
    if (parser !== undefined) {
      throw argument(`${parser.name} was put in front of Nest's own ` +
        'middleware, and what it leaves of a body can\'t be compared: put it ' +
        'there after NestFactory.create');
    }
    adapter.use((req, res, next) => {
      if (req.headers['idempotency-key'] === undefined) {
        next();
        return;
      }
      rawBody(req, this._guard.bodyBytesMax).then((body) => {
        if (body === null) return; // the client has left
        bodies.set(req, body);
        next();
      }, (why) => {
        if (!(why instanceof Refusal)) next(why);
        else say(res, why.answer);
      });
    });
  }

  _tapFastify(adapter) {
    const most = this._guard.bodyBytesMax;
    adapter.getInstance().addHook('preParsing', (request, reply, payload,
      done) => {
      if (request.headers['idempotency-key'] !== undefined) {
        const parts = [];
        let size = 0;
        const { push } = payload;
        payload.push = (part, ...more) => {
          size += part?.length ?? 0;
          if (part !== null && size <= most) parts.push(part);
          return push.call(payload, part, ...more);
        };
        bodies.set(request.raw, () => (size > most
          ? new Refusal(http.problem('too_large')) : Buffer.concat(parts)));
      }
      done(null, payload);
    });
  }
}
decorate(IdempotencyBodies, [Injectable()], [OPTIONS, HttpAdapterHost]);

class IdempotencyInterceptor {
  constructor(options, reflector) {
    this._guard = new Guard(options);
    this._reflector = reflector;
  }

  get health() {
    return this._guard.health;
  }

  async intercept(context, next) {
    if (context.getType() !== 'http' ||
        !this._reflector.get(COVERED, context.getHandler())) {
      return next.handle();
    }
    const request = context.switchToHttp().getRequest();
    const response = context.switchToHttp().getResponse();
    const req = request.raw ?? request;
    const res = response.raw ?? response;
    let claim;
    try {
      claim = await this._enter(req, request);
    } catch (why) {
      if (!(why instanceof Refusal)) throw why;
      return answered(response, res, why.answer);
    }
    if (claim === undefined) return next.handle();
    request.idempotencyClaim = claim;
    captured(this._guard, req, res, claim,
      () => (claim._began ? 'handler' : 'before'));
    return new Observable((to) =>
      under(claim, () => next.handle().subscribe(to)));
  }

  async _enter(req, request) {
    const guard = this._guard;
    const values = given(req, 'idempotency-key');
    if (values.length === 0 && guard.options.required === false) {
      return undefined;
    }
    const key = guard.readKey(values);
    const contentType = req.headers['content-type'];
    guard.checkBody(contentType, req.headers['content-length']);
    let body = bodies.get(req);
    if (typeof body === 'function') body = body();
    if (body instanceof Refusal) throw body;
    if (body === undefined) throw new Refusal(http.problem('unreadable'));
    const entered = await guard.enter({ method: req.method,
      target: req.originalUrl ?? req.url, contentType, key, body }, request);
    return entered.claim;
  }
}
decorate(IdempotencyInterceptor, [Injectable()], [OPTIONS, Reflector]);

// Nest sends what an interceptor gives it: of an answer that is said already,
// nothing is to come.
function answered(response, res, answer) {
  if (response !== res) {
    response.hijack();
    say(res, answer);
    return new Observable((to) => {
      to.next(undefined);
      to.complete();
    });
  }
  say(res, answer);
  for (const name of ['setHeader', 'appendHeader', 'removeHeader', 'writeHead',
    'write', 'end']) {
    res[name] = () => res;
  }
  return new Observable((to) => {
    to.next(undefined);
    to.complete();
  });
}

class IdempotencyModule {
  /** See the types for its options. */
  static forRoot(options) {
    return IdempotencyModule.forRootAsync({ useFactory: () => options });
  }

  /** For a store that is somebody's provider. */
  static forRootAsync({ imports = [], inject = [], useFactory }) {
    return {
      module: IdempotencyModule,
      imports,
      providers: [
        { provide: OPTIONS, inject, useFactory },
        IdempotencyBodies,
        IdempotencyInterceptor,
        { provide: APP_INTERCEPTOR, useExisting: IdempotencyInterceptor },
      ],
      exports: [IdempotencyInterceptor],
    };
  }
}
decorate(IdempotencyModule, [Module({})]);

module.exports = { Idempotent, IdempotencyModule, IdempotencyInterceptor };
