// SPDX-License-Identifier: Apache-2.0
// The search of the site: over the sections of all pages, here in the browser.
'use strict';

const index = MiniSearch.loadJSON(window.words.index, window.words.options);
const field = document.getElementById('search');
const list = document.getElementById('found');

function shown(hit) {
  const item = document.createElement('li');
  const link = document.createElement('a');
  link.href = hit.at;
  link.append(hit.heading);
  const page = document.createElement('small');
  page.append(hit.title);
  link.append(' ', page);
  item.append(link);
  return item;
}

function look() {
  const words = field.value.trim();
  const hits = words === '' ? [] : index.search(words, { prefix: true,
    fuzzy: 0.15, combineWith: 'AND', boost: { heading: 4, title: 2 } });
  list.replaceChildren(...hits.slice(0, 12).map(shown));
  if (words !== '' && hits.length === 0) {
    const none = document.createElement('li');
    none.append('Nothing has these words.');
    list.append(none);
  }
  list.hidden = words === '';
}

field.addEventListener('input', look);
list.addEventListener('click', () => { list.hidden = true; });
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') list.hidden = true;
  if (event.key === '/' && document.activeElement !== field) {
    event.preventDefault();
    field.focus();
  }
  if (event.key === 'Enter' && document.activeElement === field) {
    list.querySelector('a')?.click();
  }
});
