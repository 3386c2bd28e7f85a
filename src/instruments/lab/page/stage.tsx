/** One stage: its name, its sentence, its picture, its figures, and the same as a table. */

import { effect, useComputed, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Stage as StageModel } from '../shared/model.ts';
import { PROBE } from '../shared/records.ts';
import { why } from '../shared/why.ts';
import { attackText, durationText } from '../shared/words.ts';
import { Canvases } from './canvas.ts';
import { summaries } from './captions.ts';
import { drawn } from './drawing.ts';
import { numberText } from './marks.ts';
import { paintBy, repaint } from './paint.ts';
import { Rate } from './rates.ts';
import { nextSaid, partsOf, type Said } from './sentence.ts';
import { isMeasuring, isProjector, isReduced, isTable, people, shown } from './state.ts';
import { tellLaneStory, tellStory } from './story.tsx';
import { StageTable } from './table.tsx';
import { coloursNow } from './theme.ts';

/** CSS pixels of a pixel of the picture: text of 14 becomes 21 for a projector. */
const unitOf = (isProjected: boolean): number => (isProjected ? 1.5 : 1);

export function Stage({ index, height }: { readonly index: number; readonly height: number }) {
  const name = useComputed(() => shown.value.stages[index]?.setup.architecture ?? '');
  const attack = useComputed(() => {
    const { stages, t } = shown.value;
    return attackText(stages[index]?.attack, t);
  });
  return (
    <section class="stage" aria-labelledby={`stage-${index}`}>
      <header>
        <h2 id={`stage-${index}`}>{name}</h2>
        <span class="summary">{summaries[name.value] ?? ''}</span>
        {attack.value !== '' && <span class="attack">▲ {attack}</span>}
      </header>
      <Sentence index={index} />
      <Picture index={index} height={height} />
      <Figures index={index} />
      <div class={isTable.value || isMeasuring.value ? 'twin' : 'twin hidden'}>
        <StageTable index={index} />
      </div>
    </section>
  );
}

function Sentence({ index }: { readonly index: number }) {
  const said = useSignal<Said | undefined>(undefined);
  useEffect(
    () =>
      effect(() => {
        const model = shown.value;
        if (model.stages[index] === undefined) return;
        said.value = nextSaid(said.peek(), why(model, index), model.t);
      }),
    [index],
  );
  const reason = said.value?.reason;
  const isWell = reason === undefined || reason.rule === 'well';
  return (
    <div class={isWell ? 'why well' : 'why'}>
      <p role="status">
        {reason !== undefined &&
          partsOf(reason).map(({ text, role }) =>
            role === '' ? text : <strong class={role}>{text}</strong>,
          )}
      </p>
      {!isProjector.value && reason !== undefined && reason.action !== '' && (
        <p class="action">Try: {lower(reason.action)}</p>
      )}
    </div>
  );
}

const lower = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

function Picture({ index, height }: { readonly index: number; readonly height: number }) {
  const frame = useRef<HTMLDivElement>(null);
  const still = useRef<HTMLCanvasElement>(null);
  const moving = useRef<HTMLCanvasElement>(null);
  const every = useSignal(1);
  useEffect(() => {
    if (frame.current === null || still.current === null || moving.current === null) return;
    const box = frame.current;
    const canvases = new Canvases(still.current, moving.current, coloursNow());
    let setup = shown.peek().setup;
    const look = () => {
      canvases.look(coloursNow(), unitOf(isProjector.peek()), devicePixelRatio);
      repaint();
    };
    const update = (sample: number) => {
      const model = shown.peek();
      const stage = model.stages[index];
      if (stage === undefined || box.clientWidth === 0) return;
      const { culprits, victims } = why(model, index);
      const unit = unitOf(isProjector.peek());
      const drawing = drawn(stage, {
        t: model.t,
        width: box.clientWidth / unit,
        height: box.clientHeight / unit,
        people: people(),
        culprits,
        victims,
        seed: model.setup?.seed ?? 0,
        every: sample,
      });
      canvases.draw(drawing, stage.endings, isReduced.peek() || setup !== model.setup);
      setup = model.setup;
      every.value = drawing.every;
    };
    // A pointer finds a client or a thread here; with keys it is in the table.
    const press = (event: MouseEvent) => {
      const unit = unitOf(isProjector.peek());
      const [x, y] = [event.offsetX / unit, event.offsetY / unit];
      const client = canvases.clientAt(x, y);
      if (client !== undefined) return tellStory(index, client);
      const row = canvases.laneAt(x, y);
      if (row !== undefined) tellLaneStory(index, row);
    };
    box.addEventListener('click', press);
    const end = paintBy({ update, frame: (ms) => !isMeasuring.peek() && canvases.frame(ms) });
    const observer = new ResizeObserver(repaint);
    observer.observe(box);
    const queries = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map(matchMedia);
    for (const query of queries) query.addEventListener('change', look);
    const endLook = effect(() => {
      isProjector.value;
      // The style sheet follows the attribute that the page sets in the same moment.
      queueMicrotask(look);
    });
    return () => {
      box.removeEventListener('click', press);
      end();
      endLook();
      observer.disconnect();
      for (const query of queries) query.removeEventListener('change', look);
    };
  }, [index]);
  return (
    <>
      <div class="picture" ref={frame} aria-hidden="true" style={{ height: `${height}px` }}>
        <canvas ref={still} />
        <canvas ref={moving} />
      </div>
      {every.value > 1 && (
        <p class="sample">
          1 dot = {numberText(every.value)} clients, about. The counts are exact.
        </p>
      )}
    </>
  );
}

function Figures({ index }: { readonly index: number }) {
  const rate = useRef(new Rate());
  const figures = useComputed(() => {
    const { stages, t } = shown.value;
    const stage = stages[index];
    return stage === undefined ? undefined : figuresOf(stage, t, rate.current);
  });
  const { value } = figures;
  if (value === undefined) return null;
  return (
    <dl class="figures">
      <div class={`probe ${value.light}`}>
        <dt>probe</dt>
        <dd>{value.probe}</dd>
      </div>
      <div>
        <dt>answers/s</dt>
        <dd>{value.rate}</dd>
      </div>
      <div>
        <dt>memory</dt>
        <dd>{value.memory}</dd>
      </div>
      {value.stopwatch !== '' && (
        <div>
          <dt>recovery</dt>
          <dd>{value.stopwatch}</dd>
        </div>
      )}
    </dl>
  );
}

interface FigureTexts {
  readonly light: 'off' | 'green' | 'red';
  readonly probe: string;
  readonly rate: string;
  readonly memory: string;
  readonly stopwatch: string;
}

function figuresOf(stage: StageModel, t: number, rate: Rate): FigureTexts {
  const { light, since, recovery } = stage.probe;
  const { name, until } = stage.attack;
  const perSecond = rate.at(t, stage.users.answered);
  const runs = name === '' && until > 0 && light === PROBE.red;
  return {
    light: light === PROBE.off ? 'off' : light === PROBE.green ? 'green' : 'red',
    probe:
      light === PROBE.off
        ? '◇ off'
        : light === PROBE.green
          ? '◆ answered'
          : `✖ no answer for ${durationText(since)}`,
    rate:
      perSecond === undefined
        ? '–'
        : perSecond < 10
          ? perSecond.toFixed(1)
          : numberText(Math.round(perSecond)),
    memory: stage.cost.memory > 0 ? `${numberText(Math.round(stage.cost.memory))} MiB` : '–',
    stopwatch: runs ? `${durationText(t - until)} …` : recovery >= 0 ? durationText(recovery) : '',
  };
}
