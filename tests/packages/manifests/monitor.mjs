// SPDX-License-Identifier: Apache-2.0
// monitor.mjs DOCS -- holds the ServiceMonitor of a rendered base to the schema
// that the Prometheus operator publishes.
import fs from 'node:fs';
import { ServiceMonitor } from
  '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';

const docs = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const found = docs.filter(({ kind }) => kind === 'ServiceMonitor');
if (found.length !== 1) throw new Error(`${found.length} ServiceMonitors`);
new ServiceMonitor(found[0]).validate();
// And it is one that says no.
const wrong = structuredClone(found[0]);
wrong.spec.endpoints[0].interval = 'often';
let isRefused = false;
try {
  new ServiceMonitor(wrong).validate();
} catch {
  isRefused = true;
}
if (!isRefused) throw new Error('the schema takes anything');
console.log('  a ServiceMonitor, by the schema of the Prometheus operator');
