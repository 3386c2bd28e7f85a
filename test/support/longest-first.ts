/** The order in which a run takes its files. Vitest knows how long they take only from an earlier run on this machine. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest, longest first. A long file that starts last would be alone at the end. */
const longest = [
  'test/lab/page.test.ts',
  'test/lab/page-live.test.ts',
  'test/instruments/trace.test.ts',
  'test/conformance/conformance.test.ts',
  'test/instruments/load.test.ts',
  'test/conformance/kernel.test.ts',
  'test/limits/admission.test.ts',
  'test/limits/limits.test.ts',
  'test/cli/package.test.ts',
  'test/instruments/compare.test.ts',
  'test/lab/hub.test.ts',
  'test/conformance/life.test.ts',
  'test/lab/street.test.ts',
  'test/instruments/load-cli.test.ts',
  'test/cli/results.test.ts',
  'test/instruments/siege.test.ts',
  'test/leaving/restart.test.ts',
  'test/lab/attacks.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = longest.findIndex((file) => moduleId.endsWith(`/${file}`));
      return at < 0 ? longest.length : at;
    };
    // A stable sort: the others stay in Vitest's order.
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
