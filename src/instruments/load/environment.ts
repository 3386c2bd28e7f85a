/** The machine and the versions that a run used. */
import { readFileSync } from 'node:fs';
import { cpus, hostname, release } from 'node:os';
import { version } from '../../host/version.ts';
import type { Environment } from './result.ts';
import { nodesOf } from './shard-auto.ts';

function numberIn(file: string, pattern: RegExp): number | null {
  try {
    const found = pattern.exec(readFileSync(file, 'latin1'))?.[1];
    return found === undefined ? null : Number(found);
  } catch {
    // This system has no such file.
    return null;
  }
}

export const environmentOf = (engine: Environment['engine']): Environment => ({
  host: hostname(),
  ...nodesHere(),
  platform: `${process.platform} ${process.arch}`,
  kernel: release(),
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  node: process.version,
  mondo: version(),
  engine,
  descriptorLimit: numberIn('/proc/self/limits', /^Max open files\s+(\d+)/m),
  somaxconn: numberIn('/proc/sys/net/core/somaxconn', /(\d+)/),
});

function nodesHere(): Pick<Environment, 'nodes'> {
  const nodes = nodesOf(process.env);
  return nodes === undefined ? {} : { nodes };
}
