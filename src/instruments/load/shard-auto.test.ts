import { describe, expect, it } from 'vitest';
import { nodesOf, shardOf } from './shard-auto.ts';

describe('the shard of a process', () => {
  it.each([
    ['an Indexed Job', { JOB_COMPLETION_INDEX: '0', MONDO_SHARDS: '4' }, 1, 4],
    ['a Slurm step', { SLURM_PROCID: '2', SLURM_NTASKS: '3' }, 3, 3],
    [
      'a member of a Slurm array, which is also the only task of its job',
      {
        ...{ SLURM_ARRAY_TASK_ID: '14', SLURM_ARRAY_TASK_MIN: '10', SLURM_ARRAY_TASK_STEP: '2' },
        ...{ SLURM_ARRAY_TASK_COUNT: '5', SLURM_PROCID: '0', SLURM_NTASKS: '1' },
      },
      3,
      5,
    ],
    ['Nomad', { NOMAD_ALLOC_INDEX: '1', MONDO_SHARDS: '2' }, 2, 2],
    ['Open MPI', { OMPI_COMM_WORLD_RANK: '3', OMPI_COMM_WORLD_SIZE: '4' }, 4, 4],
    ['MPICH', { PMI_RANK: '0', PMI_SIZE: '2' }, 1, 2],
    [
      'Open MPI below Slurm, which agree',
      {
        ...{ SLURM_PROCID: '1', SLURM_NTASKS: '2' },
        ...{ OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2' },
      },
      2,
      2,
    ],
    ['GNU parallel, which counts from 1', { PARALLEL_SEQ: '4', MONDO_SHARDS: '4' }, 4, 4],
    ['a single task', { SLURM_PROCID: '0', SLURM_NTASKS: '1' }, 1, 1],
  ])('is found under %s', (_, variables, index, of) => {
    expect(shardOf(variables).shard).toEqual({ index, of });
  });

  it('comes with the variables that gave it', () => {
    expect(shardOf({ SLURM_PROCID: '2', SLURM_NTASKS: '3' }).by).toBe(
      'SLURM_PROCID and SLURM_NTASKS',
    );
  });

  it.each([
    [{}, /no scheduler says which shard this process is/],
    [{ JOB_COMPLETION_INDEX: '0' }, /JOB_COMPLETION_INDEX is set, but not .*; set MONDO_SHARDS/],
    [{ SLURM_PROCID: '1' }, /SLURM_NTASKS is "", and not a whole number/],
    [{ SLURM_PROCID: '3', SLURM_NTASKS: '3' }, /SLURM_PROCID is 3, and SLURM_NTASKS is 3: there/],
    [{ PARALLEL_SEQ: '0', MONDO_SHARDS: '3' }, /PARALLEL_SEQ is 0, and MONDO_SHARDS is 3/],
    [{ PMI_RANK: '-1', PMI_SIZE: '3' }, /PMI_RANK is "-1", and not a whole number/],
    [
      {
        ...{ SLURM_ARRAY_TASK_ID: '13', SLURM_ARRAY_TASK_MIN: '10' },
        ...{ SLURM_ARRAY_TASK_STEP: '2', SLURM_ARRAY_TASK_COUNT: '5' },
      },
      /SLURM_ARRAY_TASK_ID is 13/,
    ],
    [
      { SLURM_PROCID: '1', SLURM_NTASKS: '2', PMI_RANK: '0', PMI_SIZE: '2' },
      /it is shard 2\/2 by SLURM_PROCID and SLURM_NTASKS, but 1\/2 by PMI_RANK and PMI_SIZE/,
    ],
  ])('is refused in one line if the variables are %j', (variables, message) => {
    expect(() => shardOf(variables as Record<string, string>)).toThrow(message);
    expect(() => shardOf(variables as Record<string, string>)).toThrow(/give --shard i\/n$/);
  });
});

describe('the nodes of a Slurm step', () => {
  it.each([
    ['n1', ['n1']],
    ['n[1-3]', ['n1', 'n2', 'n3']],
    ['n[08-10,12],login,rack1-[2]', ['n08', 'n09', 'n10', 'n12', 'login', 'rack1-2']],
  ])('are those that %s stands for', (words, nodes) => {
    expect(nodesOf({ SLURM_JOB_NODELIST: words })).toEqual(nodes);
  });

  it('are unknown elsewhere, and of a list that is too long', () => {
    expect(nodesOf({})).toBeUndefined();
    expect(nodesOf({ SLURM_JOB_NODELIST: 'n[1-99999]' })).toBeUndefined();
  });

  it('are those of the step, which may use a part of the job', () => {
    expect(nodesOf({ SLURM_JOB_NODELIST: 'n[1-3]', SLURM_STEP_NODELIST: 'n2' })).toEqual(['n2']);
  });
});
