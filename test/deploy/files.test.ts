/** The files in deploy/ and the document agree with the metrics that a server has; Prometheus' own tools parse them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { metricNames } from '../../src/host/metrics.ts';
import { ask as askAdmin } from '../support/admin.ts';
import { runMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { Serving } from '../support/serving.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'mondo-deploy-'));
afterAll(() => rmSync(folder, { recursive: true }));

const hasPromtool = hasProgram('promtool', 'prometheus');
const promtool = (words: readonly string[], input = ''): string =>
  execFileSync('promtool', words, {
    input,
    encoding: 'utf8',
    cwd: join(root, 'deploy/prometheus'),
  });

const namesIn = (text: string) => [
  ...new Set([...text.matchAll(/\bmondo_[a-z_]+?(?=(?:_bucket)?\b)/g)].map(([name]) => name)),
];

interface Panel {
  readonly title: string;
  readonly description: string;
  readonly targets: readonly { readonly expr: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly query: string }[] };
}
const dashboard: Dashboard = JSON.parse(read('deploy/grafana/mondo.json'));
const expressions = [
  ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];

describe('docs/deploy.md', () => {
  it('has exactly the metrics of a server, each in a row of its own', () => {
    const rows = [
      ...read('docs/deploy.md').matchAll(
        /^\| `(mondo_[a-z_]+)` \| (?:counter|gauge|histogram) \|/gm,
      ),
    ];
    expect(rows.map(([, name]) => name).toSorted()).toEqual([...metricNames].toSorted());
  });

  it.skipIf(!hasPromtool)('gives the type of each metric', async () => {
    const serving = await Serving.start({
      ...{ architecture: 'epoll', admin: '0', metricsLatency: true },
    });
    const { body } = await askAdmin(serving.server.admin!, '/metrics');
    const types = [...body.matchAll(/^# TYPE (\S+) (\S+)/gm)].map(([, name, type]) => [name, type]);
    const rows = [...read('docs/deploy.md').matchAll(/^\| `(mondo_[a-z_]+)` \| (\w+) \|/gm)];
    expect(types.toSorted()).toEqual(rows.map(([, name, type]) => [name, type]).toSorted());
    // It complains about names, units and help.
    expect(promtool(['check', 'metrics'], body)).toBe('');
    await serving.stop();
  });
});

it('starts a server in a container without arguments', async () => {
  const [, words = ''] = /^CMD (\[.*\])$/m.exec(read('deploy/container/Containerfile')) ?? [];
  const [subcommand, ...options] = JSON.parse(words) as string[];
  expect(subcommand).toBe('serve');
  const { code, stdout } = await runMondo('config', '--show', ...options);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^host = "0\.0\.0\.0" /m);
});

describe('deploy/prometheus', () => {
  it('names metrics that there are, and no others', () => {
    expect(
      namesIn(read('deploy/prometheus/alerts.yml')).filter((name) => !metricNames.includes(name)),
    ).toEqual([]);
  });

  it.skipIf(!hasPromtool)('has rules that fire in trouble, and only then', () => {
    expect(promtool(['check', 'config', 'prometheus.yml'])).toContain('SUCCESS');
    expect(promtool(['test', 'rules', 'alerts.test.yml'])).toContain('SUCCESS');
  });

  it('tests each of its rules', () => {
    const alerts = [...read('deploy/prometheus/alerts.yml').matchAll(/- alert: (\w+)/g)].map(
      ([, name]) => name!,
    );
    const tests = read('deploy/prometheus/alerts.test.yml');
    expect(alerts).toHaveLength(12);
    expect(alerts.filter((name) => !tests.includes(name))).toEqual([]);
  });
});

describe('deploy/grafana/mondo.json', () => {
  it('names metrics that there are, and explains each panel', () => {
    expect(
      namesIn(JSON.stringify(dashboard)).filter((name) => !metricNames.includes(name)),
    ).toEqual([]);
    expect(dashboard.panels.length).toBeGreaterThan(10);
    for (const { description } of dashboard.panels) expect(description).not.toBe('');
  });

  it.skipIf(!hasPromtool)('has only expressions that Prometheus parses', () => {
    const asRule = (expr: string, i: number) => ({
      record: `mondo:expression_${i}`,
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(?:job|instance)/g, 'x'),
    });
    const file = join(folder, 'expressions.yml');
    // YAML contains JSON.
    writeFileSync(
      file,
      JSON.stringify({ groups: [{ name: 'x', rules: expressions.map(asRule) }] }),
    );
    expect(promtool(['check', 'rules', file])).toContain(
      `SUCCESS: ${expressions.length} rules found`,
    );
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'x', rules: [asRule('rate(x', 0)] }] }));
    expect(() => promtool(['check', 'rules', file])).toThrow();
  });
});
