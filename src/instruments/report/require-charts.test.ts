import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { ServeError } from '../../host/errors.ts';
import { requireCharts } from './require-charts.ts';

const nowhere = pathToFileURL(join(tmpdir(), 'no-modules-here.js')).href;

it('accepts a page if echarts is installed', () => {
  expect(() => requireCharts('load.html')).not.toThrow();
});

it('says in one line what to install if it is not', () => {
  const text =
    'Cannot write "load.html": the package that draws its charts is not installed; npm install echarts';
  expect(() => requireCharts('load.html', nowhere)).toThrow(new ServeError('failed', text));
});

it('needs nothing without a page', () => {
  expect(() => requireCharts(undefined, nowhere)).not.toThrow();
});
