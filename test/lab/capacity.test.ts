/** The scene of capacity at real servers: what its sentence and its vote say is what happens. */
import { expect, test } from 'vitest';
import type { Model } from '../../src/instruments/lab/shared/model.ts';
import { PLACE } from '../../src/instruments/lab/shared/records.ts';
import { sceneNamed } from '../../src/instruments/lab/shared/scenes.ts';
import { votes } from '../../src/instruments/lab/shared/votes.ts';
import { why } from '../../src/instruments/lab/shared/why.ts';
import { LabViewer, startLab } from '../support/lab.ts';

const { mix } = sceneNamed('capacity')!;
const honest = Array.from(
  { length: mix.clients - mix.silent },
  (_, index) => mix.silent + 1 + index,
);

/** Whether all honest clients have been outside of both servers for this time, in ms. */
const allWait = ({ stages, t }: Model, ms: number) =>
  stages.every(({ clients }) =>
    honest.every((id) => {
      const client = clients.get(id);
      return client?.place === PLACE.kernel && t - client.since >= ms;
    }),
  );

/** Where each client is, and for how many ms. */
const placesOf = ({ stages, t }: Model) =>
  stages
    .map(({ clients }) =>
      [...clients].map(([id, { place, since }]) => `${id}:${place} ${t - since}`).join(', '),
    )
    .join(' | ');

test('three silent clients leave a thread and a process that serve the others in turn; one more stops both', async () => {
  expect(votes.get('capacity')!.choices[votes.get('capacity')!.right]).toBe('one more stops both');
  await using lab = await startLab('--scene', 'capacity');
  using viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
  await viewer.sees('both servers', ({ stages }) => stages.length === 2);
  await viewer.sees('answers beside three silent clients', (model) =>
    model.stages.every(
      ({ clients, users }) =>
        [1, 2, 3].every((id) => clients.get(id)?.place === PLACE.served) &&
        users.answered >= 3 * honest.length,
    ),
  );
  for (const s of [0, 1]) viewer.send({ do: 'nc', s });
  const held = await viewer
    .sees('honest clients that wait outside', (model) => allWait(model, 1000))
    .catch((error: Error) => {
      throw new Error(`${error.message}: ${placesOf(viewer.model)}`);
    });
  const later = await viewer.sees('them to wait longer', (model) => allWait(model, 3000));
  for (const s of [0, 1]) {
    const { rule, culprits, victims } = why(later, s);
    expect([rule, culprits.length]).toEqual(['asleep for one client', 4]);
    expect(victims.toSorted()).toEqual(honest);
    expect(later.stages[s]!.users.answered).toBe(held.stages[s]!.users.answered);
  }
});
