import { describe, expect, it } from 'vitest';
import { faultsIn, phrases } from './check-prose.ts';

const FILE = 'src/host/serve.ts';
const found = (text: string, file = FILE) => faultsIn(file, text).map(({ phrase }) => phrase);

describe('check-prose', () => {
  it.each(phrases.flatMap(({ examples }) => examples))('finds "%s"', (phrase) => {
    expect(found(`/** A client ${phrase} a server. */`)).toEqual([phrase]);
    expect(found(`it('a client ${phrase} a server', () => {});`)).toEqual([phrase]);
    expect(found(`const text = \`\${count} ${phrase}\`;`)).toEqual([phrase]);
  });

  it('names the line of each phrase, and what to write instead', () => {
    expect(faultsIn(FILE, '// First.\n// Meanwhile a client waits.\n\n// Whoever it is.')).toEqual([
      { line: 2, phrase: 'Meanwhile', instead: expect.stringContaining('while') },
      { line: 4, phrase: 'Whoever', instead: expect.stringContaining('name the actor') },
    ]);
  });

  it.each([
    '/**\n * The worker is to\n * be replaced.\n */',
    '  // The worker is to\n  // be replaced.',
    'The worker is to\nbe replaced.',
    '> The worker is to\n> be replaced.',
  ])('finds a phrase across two lines: %j', (text) => {
    expect(found(text)).toEqual(['is to be']);
  });

  it.each([
    '`--user nobody` runs the workers with fewer rights',
    'give the name or number of one, such as nobody',
    "['--user', 'nobody']",
  ])('spares the user of the system: %j', (text) => {
    expect(found(text)).toEqual([]);
  });

  it.each([
    'The worker is stopped, and is replaced.',
    'They install it in all-in-one images.',
    'for goodness, nobodySeesThis, somebodyElse()',
    'Lines are told apart by it, and cannot be told from work.',
  ])('spares words that only contain a phrase: %j', (text) => {
    expect(found(text).filter((phrase) => phrase !== 'in all')).toEqual([]);
  });

  it('spares the number of that user in tests', () => {
    expect(found('chownSync(folder, NOBODY, NOBODY);', 'test/cli/identity.test.ts')).toEqual([]);
  });

  it('spares its own list of the phrases', () => {
    expect(found("['whoever', 'name the actor']", 'tools/check-prose.ts')).toEqual([]);
  });
});
