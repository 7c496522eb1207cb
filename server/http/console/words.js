// SPDX-License-Identifier: Apache-2.0
// words.js -- figures and bytes as text. Everything reaches the page as text
// nodes: a key is whatever a stranger has made of it.
'use strict';

const $ = (id) => document.getElementById(id);

/** An element with children: text, or elements. */
function el(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((one) => one !== null));
  return made;
}

/** Only what changes is touched, so that what is read aloud or selected stays. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function fill(node, rows) {
  node.replaceChildren(...rows);
}

/** Rows of name and figure: [name, text, className]. */
function fillList(node, rows) {
  fill(node, rows.flatMap(([name, text, className]) => [
    el('dt', '', name),
    el('dd', className ?? '', text instanceof Node ? text : String(text))]));
}

// ------------------------------------------------------------------- figures

function count(n) {
  return Math.round(n).toLocaleString('en').replaceAll(',', '\u202f');
}

function rate(n) {
  return n === null ? '…' : n >= 100 ? count(n) : n === 0 ? '0' : n.toFixed(1);
}

function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  for (; n >= 1024 && at < units.length - 1; at++) n /= 1024;
  return `${at && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
}

function percent(share) {
  return `${share > 0 && share < 0.1 ? (100 * share).toFixed(1)
    : Math.round(100 * share)} %`;
}

/** An age: two units at most. */
function age(ms) {
  if (ms === undefined || ms === null) return '';
  const s = Math.floor(ms / 1000);
  if (ms > 0 && ms < 1000) return `${Math.round(ms)} ms`;
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

/** A duration of a histogram, in seconds. */
function short(s) {
  if (s === Infinity) return 'longer';
  if (s < 0.001) return `${Math.round(s * 1e6)} µs`;
  if (s < 1) return `${(s * 1000).toFixed(s < 0.01 ? 1 : 0)} ms`;
  return `${s.toFixed(1)} s`;
}

function utc(date) {
  return date.toISOString().replace(/\.\d+Z$/, 'Z').replace('T', ' ');
}

function utcTime(date) {
  return date.toISOString().slice(11, 19) + 'Z';
}

// ---------------------------------------------------------------------- bytes

// What would not be seen, or would change how the rest is seen: controls, marks
// of direction, spaces of no width, what belongs to no character.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/u;

function escaped(c) {
  const code = c.codePointAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u{${code.toString(16)}}`;
}

function shownText(text) {
  const parts = [];
  let plain = '';
  for (const c of text) {
    if (!HIDDEN.test(c)) {
      plain += c;
      continue;
    }
    parts.push(plain, el('span', '', escaped(c)));
    plain = '';
  }
  return parts.concat(plain).filter((one) => one !== '');
}

function shownBase64(text) {
  return [...atob(text)].flatMap((c) => (c >= ' ' && c <= '~' ? [c]
    : [el('span', '', escaped(c))]));
}

/** A row's member `name`, which is UTF-8, or base64 as `name_b64`. */
function shown(row, name) {
  const text = row[name], base64 = row[`${name}_b64`];
  if (typeof text === 'string') return shownText(text);
  return typeof base64 === 'string' ? shownBase64(base64) : [];
}

function bytesOf(row, name) {
  return row[`${name}_b64`] !== undefined
    ? { [`${name}_b64`]: row[`${name}_b64`] } : { [name]: row[name] ?? '' };
}
