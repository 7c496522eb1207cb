// SPDX-License-Identifier: Apache-2.0
// standin.js -- stands between the page and a daemon, and plays what a daemon can
// hardly be made to do on demand: an answer that is lost, a record that moved on,
// thousands of orphans with the names that strangers give. What it has no part
// of it hands on.
'use strict';

const http = require('node:http');
const { ADDRESS } = require('./stage.js');

class StandIn {
  constructor(daemon) {
    Object.assign(this, { daemon, parts: {}, asked: [] });
    this.server = http.createServer((request, answer) => this.take(request,
      answer));
  }

  async start() {
    await new Promise((done) => this.server.listen(0, ADDRESS, done));
    return this;
  }

  get url() {
    return `http://${ADDRESS}:${this.server.address().port}/`;
  }

  async take(request, answer) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const part = this.parts[request.url];
    if (part === undefined) {
      this.handOn(request, body, answer);
      return;
    }
    const asked = { path: request.url, body: JSON.parse(body.toString()),
      user: /^Bearer idm_([a-z0-9-]+)_/.exec(request.headers.authorization
        ?? '')?.[1] };
    this.asked.push(asked);
    const [status, told] = await part(asked);
    // Half of it: what was not answered at all a browser sends again by itself.
    if (status === 0) {
      answer.writeHead(200, { 'Content-Length': 1000 });
      answer.write('{', () => request.socket.destroy());
      return;
    }
    answer.writeHead(status, { 'Content-Type': status < 400 ? 'application/json'
      : 'application/problem+json', 'Cache-Control': 'no-store' });
    answer.end(JSON.stringify(told));
  }

  handOn(request, body, answer) {
    const on = http.request({ host: ADDRESS, port: this.daemon.ports.http,
      path: request.url, method: request.method, headers: request.headers },
    (told) => {
      answer.writeHead(told.statusCode, told.headers);
      told.pipe(answer);
    });
    on.on('error', () => request.socket.destroy());
    on.end(body);
  }

  end() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

module.exports = { StandIn };
