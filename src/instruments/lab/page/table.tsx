/** A stage in words and numbers: its lanes, and the clients that wait longest. */

import type { Client, Model, Stage } from '../shared/model.ts';
import { PLACE } from '../shared/records.ts';
import { doingOf, durationText } from '../shared/words.ts';
import { eachSecond } from './clock.ts';
import { numberText, waitOf } from './marks.ts';
import { nameOf, tellLaneStory, tellStory } from './story.tsx';

const CLIENTS = 10;
const LANES = 20;

const places = ['connects', 'in the kernel’s queue', 'in the server’s own queue', 'accepted'];

/** The clients that wait longest, the longest first. */
const longest = (model: Model, index: number): readonly Client[] =>
  [...(model.stages[index]?.clients.values() ?? [])]
    .filter((client) => waitOf(client, model.t) !== undefined)
    .sort((a, b) => (waitOf(b, model.t) ?? 0) - (waitOf(a, model.t) ?? 0))
    .slice(0, CLIENTS);

function StoryButton({ index, client }: { readonly index: number; readonly client: number }) {
  return (
    <button type="button" class="small" title="its story" onClick={() => tellStory(index, client)}>
      {nameOf(client)}
    </button>
  );
}

function LaneButton({
  index,
  row,
  tid,
}: {
  readonly index: number;
  readonly row: number;
  readonly tid: number;
}) {
  return (
    <button
      type="button"
      class="small"
      title="its story"
      aria-label={`thread ${tid}`}
      onClick={() => tellLaneStory(index, row)}
    >
      {tid}
    </button>
  );
}

export function StageTable({ index }: { readonly index: number }) {
  const model = eachSecond.value;
  const stage = model.stages[index];
  if (stage === undefined) return null;
  const lanes = [...stage.lanes.values()].sort((a, b) => a.row - b.row);
  const waiting = longest(model, index);
  const { queue, users, server } = stage;
  return (
    <>
      <p>
        {numberText(queue.waiting)} of {numberText(queue.limit)} in the kernel’s queue,{' '}
        {numberText(users.answered)} answers, {numberText(server.limited)} ended by a limit,{' '}
        {numberText(server.refused)} refused, {numberText(users.reset)} reset.
      </p>
      <table>
        <caption>Threads of {stage.setup.architecture}</caption>
        <thead>
          <tr>
            <th scope="col">process</th>
            <th scope="col">its memory</th>
            <th scope="col">thread</th>
            <th scope="col">does</th>
            <th scope="col">since</th>
            <th scope="col">client</th>
          </tr>
        </thead>
        <tbody>
          {lanes.slice(0, LANES).map((lane) => (
            <tr key={lane.row}>
              <td>{lane.pid}</td>
              <td>{memoryOf(stage, lane.pid)}</td>
              <td>
                <LaneButton index={index} row={lane.row} tid={lane.tid} />
              </td>
              <td>{doingOf(lane)}</td>
              <td>{durationText(model.t - lane.since)}</td>
              <td>{lane.client < 0 ? '–' : <StoryButton index={index} client={lane.client} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {lanes.length > LANES && <p>and {numberText(lanes.length - LANES)} more threads</p>}
      <table>
        <caption>Clients of {stage.setup.architecture} that wait longest</caption>
        <thead>
          <tr>
            <th scope="col">client</th>
            <th scope="col">waits</th>
            <th scope="col">where</th>
            <th scope="col">unread</th>
          </tr>
        </thead>
        <tbody>
          {waiting.map((client) => (
            <tr key={client.id}>
              <td>
                <StoryButton index={index} client={client.id} />
              </td>
              <td>{durationText(waitOf(client, model.t) ?? 0)}</td>
              <td>{client.place === PLACE.served ? servedText(client) : places[client.place]}</td>
              <td>{client.bytes > 0 ? `${client.bytes} B` : '–'}</td>
            </tr>
          ))}
          {waiting.length === 0 && (
            <tr>
              <td colSpan={4}>no client waits</td>
            </tr>
          )}
        </tbody>
      </table>
      <AnyStory index={index} />
    </>
  );
}

/** A client that does not wait stands in no table. */
function AnyStory({ index }: { readonly index: number }) {
  const id = `story-of-${index}`;
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        const number = Number(new FormData(event.currentTarget).get('client'));
        if (Number.isSafeInteger(number) && number > 0) tellStory(index, number);
      }}
    >
      <label for={id}>The story of client</label>
      <input id={id} name="client" inputMode="numeric" size={5} autocomplete="off" />
      <button type="submit" class="small">
        tell it
      </button>
    </form>
  );
}

const memoryOf = ({ memory }: Stage, pid: number) => {
  const own = memory.get(pid);
  return own === undefined ? '–' : `${numberText(own)} MiB`;
};

const servedText = ({ lane }: Client) => (lane < 0 ? 'accepted' : `accepted, in row ${lane}`);
