/** What is below the stages: one panel at a time, closed at the start. */

import type { ComponentChildren } from 'preact';
import { Attacks } from './attacks.tsx';
import { Clients } from './clients.tsx';
import { Code } from './code.tsx';
import { Defences } from './defences.tsx';
import { ExportMenu } from './export-menu.tsx';
import { Missions } from './mission.tsx';
import { Outside } from './outside.tsx';
import { isStatic } from './recorded.ts';
import { Server } from './server.tsx';
import { isTable, type Panel, panel } from './state.ts';
import { Timeline } from './timeline.tsx';

interface Tab {
  readonly name: Exclude<Panel, ''>;
  readonly title: string;
  readonly key: string;
  readonly content: () => ComponentChildren;
}

const all: readonly Tab[] = [
  { name: 'clients', title: 'Clients', key: '', content: () => <Clients /> },
  { name: 'server', title: 'Server', key: '', content: () => <Server /> },
  { name: 'attacks', title: 'Attack', key: 'A', content: () => <Attacks /> },
  { name: 'defences', title: 'Defend', key: 'D', content: () => <Defences /> },
  { name: 'outside', title: 'From outside', key: 'O', content: () => <Outside /> },
  { name: 'code', title: 'Code', key: 'C', content: () => <Code /> },
  { name: 'timeline', title: 'Time', key: 'T', content: () => <Timeline /> },
  { name: 'export', title: 'Save', key: 'E', content: () => <ExportMenu /> },
  { name: 'mission', title: 'Missions', key: 'M', content: () => <Missions /> },
];
/** A page without a hub has no server to act on. The goals of a mission are checked on its recording too. */
const afterwards: ReadonlySet<Panel> = new Set(['code', 'timeline', 'export', 'mission']);
const tabs = isStatic() ? all.filter(({ name }) => afterwards.has(name)) : all;

export function toggle(name: Panel): void {
  panel.value = panel.value === name ? '' : name;
}

export function Dock() {
  const open = tabs.find(({ name }) => name === panel.value);
  return (
    <section class="dock" aria-label="Controls">
      <div class="tabs">
        {tabs.map(({ name, title, key }) => (
          <button
            key={name}
            type="button"
            aria-expanded={panel.value === name}
            aria-controls="panel"
            onClick={() => toggle(name)}
          >
            {title}
            {key !== '' && <kbd>{key}</kbd>}
          </button>
        ))}
        <button
          type="button"
          aria-pressed={isTable.value}
          onClick={() => {
            isTable.value = !isTable.value;
          }}
        >
          Table<kbd>V</kbd>
        </button>
      </div>
      <div id="panel" class="panel" hidden={open === undefined}>
        {open?.content()}
      </div>
    </section>
  );
}
