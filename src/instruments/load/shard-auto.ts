/** Finds the shard of this process in the environment variables of the scheduler that started it. */
import { ServeError } from '../../host/errors.ts';
import type { LoadPlan } from './plan.ts';

type Shard = LoadPlan['shard'];
type Variables = Readonly<Record<string, string | undefined>>;

/** The number of shards, for schedulers that tell a process only its own number. */
const SHARDS = 'MONDO_SHARDS';

interface Source {
  /** The variable with the number of this process. */
  readonly index: string;
  /** The variable with the number of all processes. */
  readonly of: string;
  /** The lowest number. */
  readonly first: (variables: Variables) => number;
  /** The distance from one number to the next. */
  readonly step?: string;
}

const from = (first: number) => () => first;

/**
 * - Kubernetes, Indexed Job: JOB_COMPLETION_INDEX counts from 0. The manifest sets MONDO_SHARDS to its completions.
 * - Slurm (srun(1), sbatch(1)): SLURM_PROCID counts from 0; members of an array from SLURM_ARRAY_TASK_MIN.
 * - Nomad: NOMAD_ALLOC_INDEX counts from 0. Open MPI and MPICH: ranks from 0. GNU parallel: PARALLEL_SEQ from 1.
 */
const sources: readonly Source[] = [
  { index: 'JOB_COMPLETION_INDEX', of: SHARDS, first: from(0) },
  { index: 'SLURM_PROCID', of: 'SLURM_NTASKS', first: from(0) },
  {
    index: 'SLURM_ARRAY_TASK_ID',
    of: 'SLURM_ARRAY_TASK_COUNT',
    first: (variables) => numberIn(variables, 'SLURM_ARRAY_TASK_MIN'),
    step: 'SLURM_ARRAY_TASK_STEP',
  },
  { index: 'NOMAD_ALLOC_INDEX', of: SHARDS, first: from(0) },
  { index: 'OMPI_COMM_WORLD_RANK', of: 'OMPI_COMM_WORLD_SIZE', first: from(0) },
  { index: 'PMI_RANK', of: 'PMI_SIZE', first: from(0) },
  { index: 'PARALLEL_SEQ', of: SHARDS, first: from(1) },
];

/** A shard, and the variables that say so. */
export interface FoundShard {
  readonly shard: Shard;
  readonly by: string;
}

/**
 * @throws ServeError if no variable gives a number, if one makes no sense, or if two disagree
 */
export function shardOf(variables: Variables): FoundShard {
  const found = sources
    .filter(({ index }) => variables[index] !== undefined)
    .map((source) => foundBy(source, variables));
  if (found.length === 0) {
    throw cannot(
      `no scheduler says which shard this process is (none of ${sources.map(({ index }) => index).join(', ')} is set); give --shard i/n`,
    );
  }
  // Each member of a Slurm array is also the only task of its own job.
  const several = found.filter(({ shard }) => shard.of > 1);
  const [first = found[0]!, ...others] = several;
  const other = others.find(
    ({ shard }) => shard.index !== first.shard.index || shard.of !== first.shard.of,
  );
  if (other === undefined) return first;
  throw cannot(
    `it is shard ${textOf(first.shard)} by ${first.by}, but ${textOf(other.shard)} by ${other.by}; give --shard i/n`,
  );
}

function foundBy({ index, of, first, step }: Source, variables: Variables): FoundShard {
  if (of === SHARDS && variables[SHARDS] === undefined) {
    throw cannot(
      `${index} is set, but not the number of shards; set ${SHARDS} to it, or give --shard i/n`,
    );
  }
  const by = `${index} and ${of}`;
  const apart = step === undefined || variables[step] === undefined ? 1 : numberIn(variables, step);
  const shard = {
    index: (numberIn(variables, index) - first(variables)) / apart + 1,
    of: numberIn(variables, of),
  };
  if (Number.isInteger(shard.index) && shard.index >= 1 && shard.index <= shard.of) {
    return { shard, by };
  }
  throw cannot(
    `${index} is ${variables[index]}, and ${of} is ${variables[of]}: there is no such shard; give --shard i/n`,
  );
}

function numberIn(variables: Variables, name: string): number {
  const words = variables[name] ?? '';
  if (/^\d{1,6}$/.test(words)) return Number(words);
  throw cannot(`${name} is "${words}", and not a whole number; give --shard i/n`);
}

const textOf = ({ index, of }: Shard) => `${index}/${of}`;

const cannot = (why: string) => new ServeError('usage', `Cannot take --shard auto: ${why}`);

/** More nodes than this are not named. */
const MOST_NODES = 1000;

/**
 * The names of the nodes of a Slurm step; undefined elsewhere. Slurm writes `n[1-3,07],login` for n1, n2, n3, n07 and
 * login (scontrol(1), "show hostnames").
 */
export function nodesOf(variables: Variables): readonly string[] | undefined {
  const words = variables.SLURM_STEP_NODELIST ?? variables.SLURM_JOB_NODELIST;
  if (words === undefined) return undefined;
  const nodes: string[] = [];
  for (const [, name = '', ranges] of words.matchAll(/([^,[\]]+)(?:\[([^\]]*)\])?/g)) {
    if (ranges === undefined) nodes.push(name);
    for (const range of ranges?.split(',') ?? []) {
      const [low = '', high = low] = range.split('-');
      for (let i = Number(low); i <= Number(high); i++) {
        if (nodes.length >= MOST_NODES) return undefined;
        nodes.push(`${name}${String(i).padStart(low.length, '0')}`);
      }
    }
  }
  return nodes;
}
