/** Makes a report with charts fail in one line, and before its run, if the package that draws them is missing. */
import { createRequire } from 'node:module';
import { ServeError } from '../../host/errors.ts';

/**
 * It loads nothing: a large package in memory could disturb what is measured next.
 *
 * @param file the page that needs charts; undefined if there is none
 * @param from the module, as a URL, from which the package must be found; default: this one
 * @throws ServeError if echarts, an optional peer of Mondo, is not installed
 */
export function requireCharts(file: string | undefined, from = import.meta.url): void {
  if (file === undefined) return;
  try {
    createRequire(from).resolve('echarts/core');
  } catch (cause) {
    throw new ServeError(
      'failed',
      `Cannot write "${file}": the package that draws its charts is not installed; npm install echarts`,
      { cause },
    );
  }
}
