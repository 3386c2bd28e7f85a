/** The Kubernetes manifests: their schemas, what they promise each other, and commands that Mondo understands. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { faultsOf, type Manifest, manifestsIn, rendered } from '../support/manifests.ts';
import { runMondo } from '../support/processes.ts';

const folders = [
  ...['base', 'overlays/proxy-v2', 'overlays/uring', 'overlays/hpa', 'overlays/keda'],
  'load-job',
];

/** Debian has no kubectl: without it, the overlays are checked only as far as they are files of their own. */
const kubectl = (process.env.PATH ?? '').split(':').some((one) => existsSync(`${one}/kubectl`));
if (!kubectl) console.log('Skipped, kubectl is missing: see kubernetes.io/docs/tasks/tools');

const base = manifestsIn('base');
const kindOf = (kind: string, all: readonly Manifest[] = base): Manifest =>
  all.find((one) => one.kind === kind);
const deployment = kindOf('Deployment');
const [container] = deployment.spec.template.spec.containers;
const isOwn = ({ kind }: Manifest) => kind !== 'ScaledObject';

/** What Mondo reads in the arguments of the container, as TOML. Its times are in ms. */
const { stdout: effective } = await runMondo('config', '--show', ...container.args.slice(1));
const secondsOf = (option: string): number =>
  Number(new RegExp(`^${option} = (\\d+) `, 'm').exec(effective)?.[1]) / 1000;

describe('each manifest', () => {
  it.each(
    folders,
  )('in %s has what its schema wants, and no key that it does not know', async (folder) => {
    for (const one of manifestsIn(folder).filter(isOwn)) expect(await faultsOf(one)).toEqual([]);
  });

  it.skipIf(!kubectl).each(folders)('in %s is still right after kustomize', async (folder) => {
    const all = rendered(folder);
    expect(all.length).toBeGreaterThan(0);
    for (const one of all.filter(isOwn)) expect(await faultsOf(one)).toEqual([]);
  });

  it('would be refused with a wrong key, a wrong type, or without a required one', async () => {
    const broken = async (change: (spec: Manifest) => void) => {
      const copy = structuredClone(deployment);
      change(copy.spec);
      return (await faultsOf(copy)).join();
    };
    expect(await broken((spec) => (spec.replica = 3))).toBe('no schema knows /spec/replica');
    expect(await broken((spec) => (spec.replicas = '3'))).toMatch(/replicas must be integer/);
    expect(await broken((spec) => delete spec.template)).toMatch(
      /must have required property template/,
    );
    expect(await broken((spec) => (spec.template.spec.containers[0].readinessProb = {}))).toBe(
      'no schema knows /spec/template/spec/containers/0/readinessProb',
    );
    expect(await faultsOf({ ...deployment, specs: {} })).toEqual(['no schema knows /specs']);
  });
});

describe('the base', () => {
  it('has the times that docs/deploy.md gives', () => {
    expect([secondsOf('lame-duck'), secondsOf('drain')]).toEqual([10, 30]);
  });

  it('gives a pod more time than its lame duck and its drain take', () => {
    const { terminationGracePeriodSeconds: grace } = deployment.spec.template.spec;
    expect(grace).toBeGreaterThanOrEqual(secondsOf('lame-duck') + secondsOf('drain') + 10);
  });

  it('has a lame duck that outlasts the readiness probe', () => {
    const { periodSeconds, failureThreshold } = container.readinessProbe;
    expect(secondsOf('lame-duck')).toBeGreaterThan(periodSeconds * failureThreshold);
  });

  it('selects its own pods everywhere', () => {
    const { labels } = deployment.spec.template.metadata;
    const selectors = [
      deployment.spec.selector.matchLabels,
      kindOf('Service').spec.selector,
      kindOf('PodDisruptionBudget').spec.selector.matchLabels,
      ...deployment.spec.template.spec.topologySpreadConstraints.map(
        (one: Manifest) => one.labelSelector.matchLabels,
      ),
    ];
    for (const selector of selectors) expect(labels).toMatchObject(selector);
  });

  it('lets the budget stop a pod, and the service reach the port', () => {
    const { maxUnavailable } = kindOf('PodDisruptionBudget').spec;
    expect(maxUnavailable).toBeLessThan(deployment.spec.replicas);
    const names = container.ports.map(({ name }: Manifest) => name);
    expect(names).toContain(kindOf('Service').spec.ports[0].targetPort);
    for (const probe of ['readinessProbe', 'livenessProbe', 'startupProbe']) {
      expect(names).toContain(container[probe].httpGet.port);
    }
  });

  it('runs as no root, without rights, on a file system that it cannot write', () => {
    for (const pod of [deployment, kindOf('Job', manifestsIn('load-job'))]) {
      const { securityContext, containers } = pod.spec.template.spec;
      expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532 });
      expect(containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });
});

describe('the autoscalers', () => {
  it('aim at 70 % of the limit of connections', () => {
    const limit = container.args
      .find((one: string) => one.startsWith('--limit=connections='))
      .split('=')[2];
    const autoscaler = kindOf('HorizontalPodAutoscaler', manifestsIn('overlays/hpa'));
    const [{ pods }] = autoscaler.spec.metrics;
    expect(Number(pods.target.averageValue)).toBe(0.7 * limit);
    const [{ metadata }] = kindOf('ScaledObject', manifestsIn('overlays/keda')).spec.triggers;
    expect(Number(metadata.threshold)).toBe(0.7 * limit);
    expect(pods.metric.name).toBe('mondo_connections');
    expect(metadata.query).toContain('mondo_connections{');
  });
});

describe('the load job', () => {
  const job = kindOf('Job', manifestsIn('load-job'));
  const [load] = job.spec.template.spec.containers;

  it('has as many shards as completions, all at once and none twice', () => {
    const { completions, parallelism, backoffLimit } = job.spec;
    const [shards] = load.env;
    expect({ completions, parallelism, backoffLimit }).toEqual({
      ...{ completions: Number(shards.value), parallelism: Number(shards.value) },
      backoffLimit: 0,
    });
    expect(shards.name).toBe('MONDO_SHARDS');
  });

  it('gives options that mondo load understands', async () => {
    const [, , ...options] = load.args.map((word: string) =>
      // The moment must be near.
      word.startsWith('--start-at') ? '--start-at=+1h' : word,
    );
    const words = options.filter((word: string) => word !== '--shard=auto');
    const { code, stderr } = await runMondo(
      ...['load', '127.0.0.1', ...words, '--shard', '1/4', '--save-plan', '/dev/null'],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});
