/** One server: its architecture and its sizes, its processes, and the clients of `nc`. */

import type { StagePlan } from '../shared/plan.ts';
import { MOST, type StageSetup } from '../shared/records.ts';
import { startPlan } from './clients.tsx';
import { Command } from './command.tsx';
import { planOfSetup } from './plans.ts';
import { send, shown, steers, welcome } from './state.ts';
import { Target, target } from './target.tsx';

export function Server() {
  const { stages } = shown.value;
  const index = Math.max(0, target.value);
  const stage = stages[index];
  if (stage === undefined) return null;
  const isOff = !steers.value;
  const button = (text: string, onClick: () => void) => (
    <button type="button" disabled={isOff} onClick={onClick}>
      {text}
    </button>
  );
  const workers = [...new Set([...stage.lanes.values()].map(({ pid }) => pid))].filter(
    (pid) => pid > 0,
  );
  return (
    <>
      <Target hasAll={false} />
      <div class="columns">
        <section>
          <h3>Architecture</h3>
          <Architecture index={index} setup={stage.setup} />
          <Sizes index={index} setup={stage.setup} />
          <p>
            <Command text={stage.setup.command} />
          </p>
          <div class="row">
            {stages.length < MOST.stages &&
              button('add a server beside it', () => addStage(stage.setup))}
            {stages.length > 1 && button('remove this server', () => removeStage(index))}
          </div>
        </section>
        <section>
          <h3>Clients from here</h3>
          <div class="row">
            {button('nc: one more silent client', () => send({ do: 'nc', s: index }))}
            {button('all nc leave', () => send({ do: 'release', s: index }))}
            {button('probe on', () => send({ do: 'probe', s: index, on: true }))}
            {button('probe off', () => send({ do: 'probe', s: index, on: false }))}
          </div>
          <h3>Processes</h3>
          <div class="row">
            {button('restart', () => send({ do: 'restart', s: index }))}
            {button('stop, after a drain', () => send({ do: 'stop', s: index }))}
          </div>
          <ul class="plain">
            {workers.slice(0, 8).map((pid) => (
              <li key={pid} class="row">
                <span>worker {pid}</span>
                {(['SIGKILL', 'SIGSTOP', 'SIGCONT'] as const).map((signal) => (
                  <button
                    key={signal}
                    type="button"
                    class="small"
                    disabled={isOff}
                    onClick={() => send({ do: 'signal', s: index, pid, signal })}
                  >
                    kill -{signal.slice(3)}
                  </button>
                ))}
              </li>
            ))}
          </ul>
        </section>
      </div>
    </>
  );
}

const swap = (s: number, stage: StagePlan) => send({ do: 'swap', s, stage });

function Architecture({ index, setup }: { readonly index: number; readonly setup: StageSetup }) {
  const all = welcome.value?.architectures ?? [];
  return (
    <div class="slider">
      <label for="architecture">server {index + 1}</label>
      <select
        id="architecture"
        disabled={!steers.value}
        value={setup.architecture}
        onChange={({ currentTarget }) => swap(index, { architecture: currentTarget.value })}
      >
        {all.map(({ name, title, missing }) => (
          <option key={name} value={name} disabled={missing !== ''}>
            {name}: {missing === '' ? title : missing}
          </option>
        ))}
        {all.every(({ name }) => name !== setup.architecture) && (
          <option value={setup.architecture}>{setup.architecture}</option>
        )}
      </select>
    </div>
  );
}

const sizes = [
  { name: 'threads', label: 'threads', least: 1, most: 64 },
  { name: 'processes', label: 'processes', least: 1, most: 16 },
  { name: 'queue', label: 'its own queue', least: 1, most: 4096 },
] as const;

function Sizes({ index, setup }: { readonly index: number; readonly setup: StageSetup }) {
  const { plan } = setup;
  const here = welcome.value?.architectures.find(({ name }) => name === setup.architecture);
  const fields = [
    ...sizes
      .filter(({ name }) => here?.takes.includes(name))
      .map((size) => ({ ...size, value: setup[size.name] })),
    {
      name: 'backlog',
      label: 'backlog: the kernel’s queue holds one more',
      least: 1,
      most: 65_535,
      value: setup.limit - 1,
    } as const,
  ];
  return (
    <>
      {fields.map(({ name, label, least, most, value }) => (
        <div class="slider" key={name}>
          <label for={`size-${name}`}>{label}</label>
          <input
            id={`size-${name}`}
            type="number"
            min={least}
            max={most}
            value={value}
            disabled={!steers.value}
            onChange={({ currentTarget }) => {
              const next = Math.min(
                most,
                Math.max(least, Math.round(Number(currentTarget.value) || 0)),
              );
              swap(index, { ...plan, [name]: next });
            }}
          />
        </div>
      ))}
    </>
  );
}

function addStage(setup: StageSetup): void {
  const now = shown.peek().setup;
  if (now === undefined) return;
  const { stages } = planOfSetup(now);
  const other = setup.architecture === 'poll' ? 'single' : 'poll';
  startPlan({ stages: [...stages, { architecture: other }] });
}

function removeStage(index: number): void {
  const now = shown.peek().setup;
  if (now === undefined) return;
  startPlan({ stages: planOfSetup(now).stages.filter((_, at) => at !== index) });
}
