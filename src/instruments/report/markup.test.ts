import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { html, joined, trusted } from './markup.ts';

describe('the html template', () => {
  it('escapes text in elements and attributes, and keeps markup unchanged', () => {
    const hostile = `"><script>'&`;
    const inner = html`<b title="${hostile}">${hostile}</b>`;
    const escaped = '&quot;&gt;&lt;script&gt;&#39;&amp;';
    expect(inner.text).toBe(`<b title="${escaped}">${escaped}</b>`);
    // A second insertion does not escape again.
    expect(html`<p>${inner}</p>`.text).toBe(`<p>${inner.text}</p>`);
    expect(html`${trusted('<hr>')}`.text).toBe('<hr>');
  });

  it('writes each part of a list, escaped separately, and nothing for undefined', () => {
    const items = ['<', html`<i>${'>'}</i>`, undefined, 3];
    expect(html`[${items}]`.text).toBe('[&lt;<i>&gt;</i>3]');
    expect(joined(items, '|').text).toBe('&lt;|<i>&gt;</i>||3');
    expect(html`${[]}`.text).toBe('');
  });

  it('never lets text open or close anything', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const inside = html`${text}`.text;
        expect(inside).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
        // XML cannot contain control characters.
        expect(inside.replace(/[\t\n\r]/g, '')).not.toMatch(/\p{Cc}/u);
        const read = inside
          .replaceAll('&lt;', '<')
          .replaceAll('&gt;', '>')
          .replaceAll('&quot;', '"')
          .replaceAll('&#39;', "'")
          .replaceAll('&amp;', '&');
        expect(read).toBe(text.replace(/(?![\t\n\r])\p{Cc}/gu, '·'));
      }),
    );
  });
});
