#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// build.js OUT PROGRAMS -- makes the site of the documentation in the folder
// OUT: static files that need no server and nothing from outside. PROGRAMS is a
// build folder: idemstored, idemctl and idemagent there say their own flags.
//
// A link to a file or a heading that is not there ends it: so the links of the
// Markdown itself are held, too.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const MarkdownIt = require('markdown-it');
const MiniSearch = require('minisearch');
const menu = require('./pages.js');

const [, , out, programs] = process.argv;
const top = path.join(__dirname, '../..');
const pages = menu.flatMap(([, some]) => some);
const byFile = new Map(pages.map((page) => [
  page.file ?? (page.man && `docs/man/${page.man}`), page]));
const wrong = [];

function escaped(text) {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

// As GitHub makes them, so that one link serves there and here.
function slugOf(text, taken) {
  const plain = text.toLowerCase().replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replace(/ /g, '-');
  let slug = plain;
  for (let i = 1; taken.has(slug); i++) slug = `${plain}-${i}`;
  taken.add(slug);
  return slug;
}

// ------------------------------------------------------------------- Markdown

const md = new MarkdownIt({ html: false, linkify: false });

/** Where a link of the Markdown leads on the site; null: to a file of the
 *  source, which the site does not have. */
function target(page, href) {
  if (/^[a-z]+:/.test(href)) return href;
  const [file, anchor] = href.split('#');
  const found = file === '' ? page.file
    : path.posix.join(path.posix.dirname(page.file), file).replace(/\/$/, '');
  if (!fs.existsSync(path.join(top, found))) {
    wrong.push(`${page.file}: there is no ${found}`);
    return null;
  }
  const there = byFile.get(found) ?? byFile.get(`${found}/README.md`);
  if (there === undefined) return null;
  if (anchor) page.links.push([there, anchor, href]);
  return `${there.name}.html${anchor ? `#${anchor}` : ''}`;
}

/** A picture of the tree, as the site has it. */
function picture(page, src) {
  const found = path.posix.join(path.posix.dirname(page.file), src);
  const name = path.posix.basename(found);
  if (!fs.existsSync(path.join(top, found))) {
    wrong.push(`${page.file}: there is no ${found}`);
  } else {
    fs.copyFileSync(path.join(top, found), path.join(out, name));
  }
  return name;
}

function fitLinks(page, token) {
  const open = [];
  for (const child of token.children ?? []) {
    if (child.type === 'link_open') {
      const href = target(page, child.attrGet('href'));
      if (href !== null) child.attrSet('href', href);
      else {
        child.tag = 'span';
        child.attrs = [['class', 'source'],
          ['title', `in the source: ${child.attrGet('href')}`]];
      }
      open.push(child.tag);
    } else if (child.type === 'image') {
      child.attrSet('src', picture(page, child.attrGet('src')));
    } else if (child.type === 'link_close') {
      child.tag = open.pop();
    }
  }
}

function plainText(token) {
  return (token.children ?? []).map((child) => child.content).join('');
}

function fromMarkdown(page) {
  const tokens = md.parse(
    fs.readFileSync(path.join(top, page.file), 'utf8'), {});
  let section = { anchor: '', heading: page.title, text: [] };
  page.sections.push(section);
  tokens.forEach((token, i) => {
    if (token.type === 'heading_open') {
      const heading = plainText(tokens[i + 1]);
      const anchor = slugOf(heading, page.anchors);
      token.attrSet('id', anchor);
      section = { anchor, heading, text: [] };
      page.sections.push(section);
    } else if (token.type === 'inline') {
      fitLinks(page, token);
      section.text.push(plainText(token));
    } else if (token.type === 'fence' || token.type === 'code_block') {
      section.text.push(token.content);
    }
  });
  return md.renderer.render(tokens, md.options, {});
}

// ------------------------------------------------- man pages, the programs' say

function fromMan(page) {
  const html = execFileSync('mandoc', ['-Thtml', '-Ofragment',
    path.join(top, 'docs/man', page.man)], { encoding: 'utf8' });
  for (const [, part] of html.matchAll(/<section[^>]*>([^]*?)<\/section>/g)) {
    const [, anchor, heading] =
      /<h[12][^>]*id="([^"]*)"[^>]*>([^]*?)<\/h[12]>/.exec(part) ?? ['', '', ''];
    page.sections.push({ anchor, text: [part.replace(/<[^>]*>/g, ' ')],
      heading: heading.replace(/<[^>]*>/g, '') || page.title });
  }
  for (const [, id] of html.matchAll(/ id="([^"]*)"/g)) page.anchors.add(id);
  return html;
}

function fromProgram(page) {
  const [program, ...args] = page.said;
  const text = execFileSync(path.join(programs, program), args,
    { encoding: 'utf8' });
  page.sections.push({ anchor: '', heading: page.title, text: [text] });
  return `<h1>${page.title}</h1>\n<p>What <code>${page.said.join(' ')}</code> ` +
    `says, from its own table.</p>\n<pre>${escaped(text)}</pre>`;
}

// ----------------------------------------------------------- the list of errors

// What a caller may take the claim for: client/include/idemclient.h.
const ASSUME = { REFUSED: 'as it was: the server refused',
  UNCHANGED: 'as it was: nothing was sent, or nothing can have come of it',
  UNKNOWN: 'unknown: it may have taken effect; ask again with the same nonce ' +
    'or token' };

/** The rows X(name, code, ..., "text") of a header's list. */
function rowsOf(file, list) {
  const source = fs.readFileSync(path.join(top, file), 'utf8');
  const [, body] = new RegExp(`#define ${list}\\(X\\)((?:.*\\\\\\n)+.*)`)
    .exec(source) ?? ['', ''];
  return [...body.matchAll(/X\((\w+), (-\d+),(?: (\w+),)?([^]*?)"\)/g)].map(
    ([, name, code, assume, text]) => ({ name, code, assume,
      text: [...`${text}"`.matchAll(/"([^"]*)"/g)].map((one) => one[1]).join('') }));
}

function fromErrors(page) {
  const wire = new Map(rowsOf('proto/error.h', 'IDP_ERRORS')
    .map((row) => [row.name, row]));
  const rows = rowsOf('client/include/idemclient.h', 'IDEM_ERRORS');
  if (wire.size === 0 || rows.some((row) => !ASSUME[row.assume]) ||
      [...wire.keys()].some((name) => !rows.some((row) => row.name === name))) {
    wrong.push('the lists of errors in the headers can\'t be read');
  }
  page.sections.push({ anchor: '', heading: page.title,
    text: rows.map((row) => `${row.name} ${row.text}`) });
  return `<h1>${page.title}</h1>
<p>From the lists in <code>proto/error.h</code> and <code>idemclient.h</code>. An
error is what prevented an answer; <a href="wire.html">the wire</a> says when each
is sent, and what a client does then. What begins at -101 no server says: the
client's library does.</p>
<table><thead><tr><th>Code</th><th></th><th>What it says</th><th>The claim is</th>
</tr></thead><tbody>
${rows.map(({ name, code, assume, text }) => `<tr><td><code>${name}</code></td>` +
    `<td>${code}</td><td>${escaped(wire.get(name)?.text ?? text)}</td>` +
    `<td>${ASSUME[assume]}</td></tr>`).join('\n')}
</tbody></table>`;
}

// ------------------------------------------------------------------- the pages

function menuOf(page) {
  return menu.map(([heading, some]) => `<h2>${heading}</h2>\n<ul>\n${some.map(
    (one) => `<li><a href="${one.name}.html"${one === page
      ? ' aria-current="page"' : ''}>${one.title}</a></li>`).join('\n')}\n</ul>`)
    .join('\n');
}

/** A wide table scrolls by itself, and not the page with it. */
function scrolling(html) {
  return html.replaceAll('<table', '<div class="wide"><table')
    .replaceAll('</table>', '</table></div>');
}

function whole(page, html) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'">
<title>${page.title}${page.name === 'index' ? '' : ' · idemstore'}</title>
<link rel="stylesheet" href="style.css">
<header>
<a class="home" href="index.html">idemstore</a>
<input id="search" type="search" placeholder="Search" aria-label="Search"
 autocomplete="off">
<ol id="found" hidden></ol>
</header>
<nav aria-label="Pages">
${menuOf(page)}
</nav>
<main>
${scrolling(html)}
</main>
<script src="minisearch.js"></script>
<script src="words.js"></script>
<script src="search.js"></script>
</html>
`;
}

function checkAnchors() {
  for (const page of pages) {
    for (const [there, anchor, href] of page.links) {
      if (!there.anchors.has(anchor)) {
        wrong.push(`${page.file}: ${href} leads to no heading`);
      }
    }
  }
}

function makeIndex() {
  const options = { fields: ['heading', 'title', 'text'],
    storeFields: ['heading', 'title', 'at'] };
  const search = new MiniSearch(options);
  let id = 0;
  for (const page of pages) {
    for (const { anchor, heading, text } of page.sections) {
      search.add({ id: id++, title: page.title, heading,
        text: text.join(' ').replace(/\s+/g, ' '),
        at: `${page.name}.html${anchor && `#${anchor}`}` });
    }
  }
  return `window.words = ${JSON.stringify(
    { options, index: JSON.stringify(search) })};\n`;
}

fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
for (const page of pages) {
  Object.assign(page, { anchors: new Set(), links: [], sections: [] });
}
for (const page of pages) {
  const make = page.file ? fromMarkdown : page.man ? fromMan
    : page.said ? fromProgram : fromErrors;
  fs.writeFileSync(path.join(out, `${page.name}.html`),
    whole(page, make(page)));
}
checkAnchors();
if (wrong.length > 0) {
  console.error(wrong.join('\n'));
  process.exit(1);
}
fs.writeFileSync(path.join(out, 'words.js'), makeIndex());
fs.copyFileSync(path.join(path.dirname(require.resolve('minisearch')),
  '../umd/index.js'), path.join(out, 'minisearch.js'));
for (const file of ['style.css', 'search.js']) {
  fs.copyFileSync(path.join(__dirname, file), path.join(out, file));
}
console.log(`${pages.length} pages in ${out}`);
