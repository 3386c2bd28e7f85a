import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile, declarationsIn, publicNames } from './check-examples.ts';

const module = `/** The module. */

/**
 * A thing.
 *
 * @example
 * \`\`\`ts
 * const text = 'a * b';
 *
 * console.log(text);
 * \`\`\`
 */
export interface Thing {
  /** Not its example. */
  readonly size: number;
}

export type Bare = string;

/** Makes a thing. */
export async function make(): Promise<Thing> {
  return { size: 1 };
}
`;

describe('the tool that compiles examples', () => {
  it('finds the declarations of a module, and their examples without the stars of the comment', () => {
    const code = "const text = 'a * b';\n\nconsole.log(text);\n";
    expect(declarationsIn(module)).toEqual([
      { name: 'Thing', examples: [code] },
      { name: 'Bare', examples: [] },
      { name: 'make', examples: [] },
    ]);
  });

  it('knows which of them an entry exports', () => {
    const namesOf = (index: string) => publicNames(index, () => module).map(({ name }) => name);
    expect(namesOf("export type * from './module.ts';")).toEqual(['Thing', 'Bare']);
    expect(namesOf("export { make, type Thing } from './module.ts';")).toEqual(['make', 'Thing']);
    expect(namesOf("export {\n  make,\n} from './module.ts';")).toEqual(['make']);
  });

  it('sees in docs/stability.md whether each public name is stable', () => {
    const read = (name: string) => readFileSync(join(import.meta.dirname, '..', name), 'utf8');
    const page = read('docs/stability.md');
    const names = publicNames(read('src/index.ts'), (module) => read(join('src', module)));
    expect(names.filter(({ name }) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  it('reports an example that does not compile against the library, by its name', () => {
    const wrong =
      "import type { Peer } from 'mondo';\nexport const port = (peer: Peer) => peer.prot;\n";
    const right = wrong.replace('prot', 'port');
    const errors = compile([
      { name: 'Right', examples: [right] },
      { name: 'Wrong', examples: [right, wrong] },
    ]);
    expect(errors).toMatch(/^Wrong-2\.ts.*: error TS\d+: Property 'prot' does not exist/);
    expect(errors.trim().split('\n')).toHaveLength(1);
  });
});
