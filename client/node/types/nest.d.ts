// SPDX-License-Identifier: Apache-2.0
import { CallHandler, DynamicModule, ExecutionContext, ModuleMetadata,
  NestInterceptor } from '@nestjs/common';
import { Observable } from 'rxjs';
import { Health, IdempotencyOptions } from './express.js';

/** Of the module: which handlers are covered, @Idempotent() says. */
export type IdempotencyModuleOptions =
  Omit<IdempotencyOptions<any>, 'methods' | 'applies'>;

/** A handler that runs once per Idempotency-Key; anywhere among its
 *  decorators. */
export function Idempotent(): MethodDecorator;

export class IdempotencyModule {
  static forRoot(options: IdempotencyModuleOptions): DynamicModule;
  /** For a store that is somebody's provider. */
  static forRootAsync(options: {
    imports?: ModuleMetadata['imports'];
    inject?: any[];
    useFactory: (...args: any[]) =>
      IdempotencyModuleOptions | Promise<IdempotencyModuleOptions>;
  }): DynamicModule;
}

export class IdempotencyInterceptor implements NestInterceptor {
  readonly health: Health;
  intercept(context: ExecutionContext,
    next: CallHandler): Promise<Observable<any>>;
}
