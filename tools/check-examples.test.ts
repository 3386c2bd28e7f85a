import { describe, expect, it } from 'vitest';
import { compile, declarationsIn, publicNames, unlisted } from './check-examples.ts';

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

  it('knows the names that a page does not mention as code', () => {
    const page = 'It has `Thing`; make is no code here.';
    expect(unlisted(declarationsIn(module), page)).toEqual(['Bare', 'make']);
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
