// SPDX-License-Identifier: Apache-2.0
// PORT=8080 node points_nest.js, once it is compiled: tsc -p examples
import 'reflect-metadata';
import { BadRequestException, Body, Controller, Get, Headers, HttpCode,
  HttpException, Injectable, Module, PipeTransform, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IdempotencyModule, Idempotent } from '@idemstore/client/nest';
import * as ledger from './ledger.js';

interface Match {
  user: string;
  cost: number;
}

@Injectable()
class MatchPipe implements PipeTransform<unknown, Match> {
  transform(value: unknown): Match {
    const { user, cost } = Object(value) as Partial<Match>;
    if (typeof user !== 'string' || typeof cost !== 'number') {
      throw new BadRequestException('a match has a user and a cost');
    }
    return { user, cost };
  }
}

@Controller()
class MatchController {
  @Post('match')
  @HttpCode(200)
  @Idempotent()
  async play(@Body(MatchPipe) match: Match,
    @Headers('x-rehearse') rehearse?: string): Promise<unknown> {
    const { status, told } = await ledger.play(match, rehearse);
    if (status !== 200) throw new HttpException(told, status);
    return told;
  }

  @Get('matches')
  matches(): { played: number } {
    return { played: ledger.played() };
  }
}

@Module({
  imports: [IdempotencyModule.forRoot({ store: ledger.store,
    principal: ledger.principal, leaseMs: ledger.leaseMs })],
  controllers: [MatchController],
})
class AppModule {}

async function main(): Promise<void> {
  const options = { logger: ['error', 'warn'] as ('error' | 'warn')[] };
  const app = process.env.POINTS_PLATFORM === 'fastify'
    ? await NestFactory.create(AppModule, new FastifyAdapter(), options)
    : await NestFactory.create(AppModule, options);
  await app.listen(ledger.port, '127.0.0.1');
  ledger.say(app.getHttpServer().address().port);
}

void main();
