// SPDX-License-Identifier: Apache-2.0
// What NestJS puts around a handler: guards, pipes, filters, interceptors.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
require('reflect-metadata');
const nest = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { ExpressAdapter } = require('@nestjs/platform-express');
const { FastifyAdapter } = require('@nestjs/platform-fastify');
const express = require('express');
const { of } = require('rxjs');
const idemstore = require('../src/index.js');
const { Idempotent, IdempotencyInterceptor, IdempotencyModule } =
  require('../src/nest.js');
const { Daemon } = require('../src/testing.js');
const { ask, freshNs } = require('./helper.js');

let daemon;
before(async () => { daemon = await Daemon.start(); });
after(() => daemon.close());

const QUIET = { warn() {}, error() {} };
const runs = {};

class AuthGuard {
  canActivate(context) {
    const request = context.switchToHttp().getRequest();
    request.user = request.headers['x-user'];
    return request.headers['x-user'] !== 'mallory';
  }
}

class NumberPipe {
  transform(value) {
    if (typeof value?.a !== 'number') throw new nest.BadRequestException('a?');
    return value;
  }
}

class PayController {
  pay(body) {
    runs.pay = (runs.pay ?? 0) + 1;
    return { a: body.a, run: runs.pay,
      attempt: idemstore.currentClaim().attempt };
  }

  stream() {
    runs.stream = (runs.stream ?? 0) + 1;
    return of(`run ${runs.stream}`);
  }

  teapot() {
    runs.teapot = (runs.teapot ?? 0) + 1;
    throw new nest.HttpException({ short: 'and stout' }, 418);
  }

  plain() {
    runs.plain = (runs.plain ?? 0) + 1;
    return String(runs.plain);
  }
}

/** Decorators without their syntax, from the innermost on. */
function decorate(name, ...decorators) {
  const at = PayController.prototype;
  const descriptor = decorators.reduceRight(
    (made, one) => one(at, name, made) ?? made,
    Object.getOwnPropertyDescriptor(at, name));
  Object.defineProperty(at, name, descriptor);
}
decorate('pay', nest.Post('pay'), nest.HttpCode(201),
  nest.Header('X-Own', '1'), Idempotent());
nest.Body(new NumberPipe())(PayController.prototype, 'pay', 0);
decorate('stream', Idempotent(), nest.Post('stream'));
decorate('teapot', Idempotent(), nest.Post('teapot'));
decorate('plain', nest.Post('plain'));
nest.UseGuards(new AuthGuard())(PayController);
nest.Controller()(PayController);

function moduleOf(options) {
  class AppModule {}
  nest.Module({ imports: [IdempotencyModule.forRootAsync({
    useFactory: async () => options })],
  controllers: [PayController] })(AppModule);
  return AppModule;
}

const PLATFORMS = {
  express: () => new ExpressAdapter(),
  fastify: () => new FastifyAdapter(),
};
for (const [name, adapter] of Object.entries(PLATFORMS)) {
  describe('NestJS over ' + name, () => {
    let app, port, store;
    before(async () => {
      for (const one of Object.keys(runs)) delete runs[one];
      store = new idemstore.Store(daemon.uri(freshNs()));
      app = await NestFactory.create(moduleOf({ store, log: QUIET,
        principal: (request) => request.user }), adapter(),
      { logger: false });
      await app.listen(0, '127.0.0.1');
      ({ port } = app.getHttpServer().address());
    });
    after(async () => {
      await app.close();
      await store.close();
    });
    const asked = (path, key, { body = '{"a":1}', user = 'ann' } = {}) =>
      ask(port, { path, key, body, headers: user ? { 'x-user': user } : {} });

    test('a returned object, with what decorators say', async () => {
      const first = await asked('/pay', 'k');
      const again = await asked('/pay', 'k');
      assert.deepEqual([first.status, first.headers['x-own']], [201, '1']);
      assert.equal(String(first.body), '{"a":1,"run":1,"attempt":1}');
      assert.deepEqual([again.status, again.body], [first.status, first.body]);
      assert.equal(again.headers['idempotency-replayed'], 'true');
      assert.equal(again.headers['content-type'],
        first.headers['content-type']);
    });

    test('an Observable, and an exception that a filter answers', async () => {
      for (const [path, status] of [['/stream', 201], ['/teapot', 418]]) {
        const first = await asked(path, 'k');
        const again = await asked(path, 'k');
        assert.deepEqual([first.status, again.status], [status, status]);
        assert.deepEqual(again.body, first.body);
        assert.equal(runs[path.slice(1)], 1);
      }
    });

    test('what a pipe refuses, frees its key', async () => {
      assert.equal((await asked('/pay', 'p', { body: '{"a":"x"}' })).status,
        400);
      assert.equal((await asked('/pay', 'p')).status, 201);
    });

    test('a guard comes first; nobody is 401; another user is another key',
      async () => {
        const before = runs.pay;
        assert.equal((await asked('/pay', 'g', { user: 'mallory' })).status,
          403);
        assert.equal((await asked('/pay', 'g', { user: '' })).status, 401);
        await asked('/pay', 'g', { user: 'bob' });
        await asked('/pay', 'g', { user: 'ann' });
        assert.equal(runs.pay, before + 2);
      });

    test('no key, a malformed one, another body', async () => {
      assert.equal((await asked('/pay', undefined)).status, 400);
      assert.equal((await asked('/pay', '"')).status, 400);
      await asked('/pay', 'm');
      const got = await asked('/pay', 'm', { body: '{"a": 1}' });
      assert.equal(got.status, 422);
      assert.equal(got.headers['content-type'], 'application/problem+json');
    });

    test('a handler without @Idempotent is as it was', async () => {
      assert.equal(String((await asked('/plain', 'k')).body), '1');
      assert.equal(String((await asked('/plain', 'k')).body), '2');
      assert.ok(app.get(IdempotencyInterceptor, { strict: false }).health);
    });
  });
}

test('a parser in front of Nest: it refuses to start', async (t) => {
  const store = new idemstore.Store(daemon.uri());
  t.after(() => store.close());
  const server = express();
  server.use(express.json());
  await assert.rejects(NestFactory.create(moduleOf({ store,
    principal: 'none' }), new ExpressAdapter(server),
  { logger: false, abortOnError: false }), /jsonParser/);
});

test('options that are none: it refuses to start', async () => {
  await assert.rejects(NestFactory.create(moduleOf({ principal: 'none' }),
    { logger: false, abortOnError: false }), /store is a Store/);
});
