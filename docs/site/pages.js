// SPDX-License-Identifier: Apache-2.0
// Which pages the site has, in which order. `file` is Markdown of the tree,
// `man` a page of docs/man, `said` what a program says of itself from its own
// tables; the page `errors` is made of the lists in the headers.
'use strict';

module.exports = [
  ['Start', [
    { name: 'index', file: 'README.md', title: 'idemstore' },
    { name: 'glossary', file: 'docs/glossary.md', title: 'Concepts' },
    { name: 'recipes', file: 'docs/recipes.md', title: 'Recipes' },
    { name: 'compare', file: 'docs/compare.md', title: 'Compared' },
  ]],
  ['Your language', [
    { name: 'c', file: 'client/README.md', title: 'C and C++' },
    { name: 'node', file: 'client/node/README.md', title: 'Node' },
    { name: 'python', file: 'client/python/README.md', title: 'Python' },
    { name: 'java', file: 'client/java/README.md', title: 'Java' },
    { name: 'java-migration', file: 'client/java/MIGRATION.md',
      title: 'Java: coming from others' },
    { name: 'http', file: 'docs/http.md', title: 'What HTTP stores' },
  ]],
  ['Operations', [
    { name: 'containers', file: 'docs/containers.md', title: 'Containers' },
    { name: 'kubernetes', file: 'docs/kubernetes.md', title: 'Kubernetes' },
    { name: 'operations', file: 'docs/operations.md', title: 'On call' },
    { name: 'replication', file: 'docs/replication.md', title: 'A second copy' },
    { name: 'failover', file: 'docs/failover.md', title: 'Failover by itself' },
    { name: 'tls', file: 'docs/tls.md', title: 'TLS' },
    { name: 'credentials', file: 'docs/credentials.md', title: 'Credentials' },
    { name: 'versions', file: 'docs/versions.md', title: 'Versions' },
    { name: 'security', file: 'SECURITY.md', title: 'Security' },
  ]],
  ['Reference', [
    { name: 'flags', said: ['idemstored', '--help'], title: 'Flags, settings' },
    { name: 'idemstored.8', man: 'idemstored.8', title: 'idemstored(8)' },
    { name: 'idemagent.8', man: 'idemagent.8', title: 'idemagent(8)' },
    { name: 'agent-settings', said: ['idemagent', '-h'],
      title: 'The agent\'s settings' },
    { name: 'commands', said: ['idemctl', '--help'], title: 'Commands' },
    { name: 'idemctl.1', man: 'idemctl.1', title: 'idemctl(1)' },
    { name: 'http-api', file: 'docs/http-api.md', title: 'HTTP and JSON' },
    { name: 'openapi', said: ['idemstored', '--openapi'], title: 'OpenAPI' },
    { name: 'wire', file: 'proto/README.md', title: 'The wire' },
    { name: 'errors', errors: true, title: 'Errors' },
    { name: 'metrics', file: 'docs/metrics.md', title: 'Metrics' },
    { name: 'idemclient.3', man: 'idemclient.3', title: 'idemclient(3)' },
    { name: 'conformance', file: 'tests/conformance/README.md',
      title: 'Conformance' },
    { name: 'idemconform.1', man: 'idemconform.1', title: 'idemconform(1)' },
    { name: 'figures', file: 'bench/README.md', title: 'Figures' },
    { name: 'idembench.1', man: 'idembench.1', title: 'idembench(1)' },
    { name: 'changes', file: 'CHANGELOG.md', title: 'Changes' },
  ]],
];
