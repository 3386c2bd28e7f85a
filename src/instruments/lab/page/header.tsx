/** The top of the page: which scene, whether it is live, and who steers. */

import { sceneNamed, scenes } from '../shared/scenes.ts';
import { perform } from './keys.ts';
import {
  connection,
  isProjector,
  mayStartAgain,
  mode,
  refusal,
  send,
  shown,
  steers,
  welcome,
} from './state.ts';

export function startScene(name: string): void {
  const scene = sceneNamed(name);
  if (scene === undefined) return;
  const { key: _key, name: _name, sentence: _sentence, ...plan } = scene;
  send({ do: 'plan', plan, scene: name });
}

export function Header() {
  const { setup } = shown.value;
  const scene = setup === undefined ? undefined : sceneNamed(setup.scene);
  const title = setup?.title || scene?.title || 'Mondo lab';
  return (
    <header class="top">
      <div class="title">
        <h1>{title}</h1>
        {scene !== undefined && <p>{scene.sentence}</p>}
      </div>
      <div class="tools">
        <State />
        <select
          aria-label="Scene"
          disabled={!steers.value}
          value={scene?.name ?? ''}
          onChange={({ currentTarget }) => startScene(currentTarget.value)}
        >
          {scene === undefined && <option value="">own scene</option>}
          {scenes.map(({ key, name, title: text }) => (
            <option key={name} value={name}>
              {key} {text}
            </option>
          ))}
        </select>
        <button type="button" disabled={!mayStartAgain.value} onClick={() => send({ do: 'again' })}>
          again <kbd>R</kbd>
        </button>
        <button type="button" aria-pressed={isProjector.value} onClick={() => perform('projector')}>
          projector <kbd>P</kbd>
        </button>
        <button type="button" onClick={() => perform('keys')} aria-label="Keys and signs">
          <kbd>?</kbd>
        </button>
      </div>
    </header>
  );
}

const states = { live: '● live', paused: '‖ paused', replaying: '▶ replay' } as const;

function State() {
  const isOpen = connection.value === 'open';
  const { value } = welcome;
  const text = isOpen || mode.value !== 'live' ? states[mode.value] : '○ not connected';
  return (
    <>
      <span class={`state ${isOpen ? mode.value : 'lost'}`}>
        {value?.isReplay === true ? 'recording' : text}
      </span>
      {isOpen && value !== undefined && !value.steers && !value.isReplay && (
        <button type="button" class="primary" onClick={() => send({ do: 'take-over' })}>
          take over
        </button>
      )}
    </>
  );
}

/** What is wrong with the connection, and what the hub had to say. */
export function Lost() {
  const text =
    connection.value === 'refused'
      ? refusal.value
      : connection.value === 'lost'
        ? 'The connection to the lab is lost. The picture is the last one; the page tries again.'
        : '';
  return (
    <div role="alert" class={text === '' ? 'lost hidden' : 'lost'}>
      {text}
    </div>
  );
}
