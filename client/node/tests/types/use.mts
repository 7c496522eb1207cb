// SPDX-License-Identifier: Apache-2.0
import { Store } from '@idemstore/client';
import { dedupe } from '@idemstore/client/dedupe';
import { idempotency } from '@idemstore/client/express';
import { keyOf, pack } from '@idemstore/client/http';

const store = new Store('idem://127.0.0.1/shop');
export const middleware = idempotency({ store, principal: 'none' });
export const once = dedupe({ store, id: () => keyOf('"k"') });
export const packed: Buffer = pack(200, [['a', 'b']], null);
