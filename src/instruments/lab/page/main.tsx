/** The page of `mondo lab`. */

import { effect, signal, useComputed } from '@preact/signals';
import { render } from 'preact';
import { scenes } from '../shared/scenes.ts';
import { Dock, toggle } from './dock.tsx';
import { Footer } from './footer.tsx';
import { Header, Lost, startScene } from './header.tsx';
import { Help } from './help.tsx';
import { listenToKeys, onAction } from './keys.ts';
import { gridOf, pictureHeight } from './layout.ts';
import { followLinks, linkIn } from './links.ts';
import { startPlayhead } from './playhead.ts';
import { isStatic } from './recorded.ts';
import { connect, hasPass, takePass } from './socket.ts';
import { Stage } from './stage.tsx';
import {
  chosen,
  isMeasuring,
  isProjector,
  isReduced,
  isTable,
  panel,
  send,
  shown,
} from './state.ts';
import { Story } from './story.tsx';
import { target } from './target.tsx';
import { Transport } from './timeline.tsx';
import { Vote } from './vote.tsx';

const size = signal({ width: innerWidth, height: innerHeight });

function Stages() {
  const count = useComputed(() => shown.value.stages.length);
  const names = useComputed(() =>
    shown.value.stages.map(({ setup }) => setup.architecture).join(' '),
  );
  const grid = gridOf(count.value, size.value.width);
  const height = pictureHeight(size.value, grid, isProjector.value);
  const seen = grid.isSingle ? Math.max(0, Math.min(chosen.value, count.value - 1)) : -1;
  if (count.value === 0) return <p class="empty">Waiting for the first picture …</p>;
  return (
    <>
      {grid.isSingle && (
        <fieldset class="tabs" aria-label="Servers">
          {names.value.split(' ').map((name, index) => (
            <button
              key={index}
              type="button"
              aria-pressed={seen === index}
              onClick={() => {
                chosen.value = index;
              }}
            >
              {name}
            </button>
          ))}
        </fieldset>
      )}
      <div class={`stages columns-${grid.columns}`}>
        {Array.from({ length: count.value }, (_, index) =>
          seen === -1 || seen === index ? (
            <Stage key={index} index={index} height={height} />
          ) : undefined,
        )}
      </div>
    </>
  );
}

function Lab() {
  return (
    <>
      <Header />
      <Lost />
      <main>
        <Stages />
      </main>
      {!isProjector.value && (
        <section aria-label="Play">
          <Transport />
        </section>
      )}
      {!isProjector.value && <Dock />}
      {!isProjector.value && <Footer />}
      <Help />
      <Vote />
      <Story />
    </>
  );
}

onAction('scene', (key) => {
  const scene = scenes.find((one) => one.key === key);
  if (scene !== undefined) startScene(scene.name);
});
onAction('restart', () => send({ do: 'again' }));
onAction('attacks', () => toggle('attacks'));
onAction('defences', () => toggle('defences'));
onAction('code', () => toggle('code'));
onAction('outside', () => toggle('outside'));
onAction('timeline', () => toggle('timeline'));
onAction('export', () => toggle('export'));
onAction('mission', () => toggle('mission'));
onAction('table', () => {
  isTable.value = !isTable.value;
});
onAction('projector', () => {
  isProjector.value = !isProjector.value;
});
onAction('nc', () => send({ do: 'nc', s: Math.max(0, target.peek()) }));
onAction('close', () => {
  panel.value = '';
});

effect(() => {
  const { documentElement } = document;
  documentElement.toggleAttribute('data-projector', isProjector.value);
  documentElement.toggleAttribute('data-measure', isMeasuring.value);
});
addEventListener('resize', () => {
  size.value = { width: innerWidth, height: innerHeight };
});
const still = matchMedia('(prefers-reduced-motion: reduce)');
const setReduced = () => {
  isReduced.value = still.matches;
};
still.addEventListener('change', setReduced);
setReduced();
listenToKeys();
void startPlayhead();
if (!isStatic()) {
  const pass = takePass();
  // The address of another launch, in a tab that shows this one.
  addEventListener('hashchange', () => {
    if (!hasPass(location.hash)) return;
    takePass();
    location.reload();
  });
  followLinks(linkIn(location.hash));
  connect(pass);
}

const place = document.getElementById('lab');
if (place !== null) render(<Lab />, place);
