/**
 * Charts as SVG text, drawn without a browser, for pages without a script or a second file. Each
 * line and bar has a colour, a dash or a pattern, and its name beside it. So colour never carries
 * information alone. Colours are CSS variables of the page (page.ts), and so change with light and
 * dark.
 */
import type { CustomSeriesOption } from 'echarts/charts';
import type { EChartsCoreOption } from 'echarts/core';
import { html, type Markup, trusted } from './markup.ts';

/** The texts of a chart for readers who cannot see it. */
interface ChartWords {
  /** Unique on its page; letters, digits, hyphens. */
  readonly id: string;
  readonly title: string;
  /** What the chart shows and its main result, in one or two sentences. */
  readonly description: string;
}

interface Axis {
  readonly name: string;
  /** Default false. A log axis omits values that are not positive. */
  readonly log?: boolean;
  /** Default: from the data; a linear axis begins at 0. */
  readonly min?: number;
  readonly max?: number;
  /** True for counts: only whole values are marked. Default false. */
  readonly whole?: boolean;
  /** Formats a value; default: with units of a thousand (1.5k, 2M). */
  readonly text?: (value: number) => string;
}

export interface Point {
  readonly x: number;
  /** Null leaves a gap. */
  readonly y: number | null;
  /** A confidence interval around `y`, drawn as a whisker. */
  readonly low?: number;
  readonly high?: number;
}

export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
  /**
   * Number of the look; default: the index of the line in its panel. The same quantity has the same
   * look on all charts.
   */
  readonly look?: number;
  /** Draws steps, for a value that holds until the next point. Default false. */
  readonly steps?: boolean;
}

/** One of several plots below each other, with a common x axis. */
export interface Panel {
  readonly y: Axis;
  readonly lines: readonly Line[];
  /** Counts of a histogram over time, below the lines. */
  readonly heat?: Heat;
  /** Height of the plot, in px; default 180. */
  readonly height?: number;
}

export interface Heat {
  /** Start and end of each column. */
  readonly columns: readonly { readonly from: number; readonly to: number }[];
  readonly rows: readonly { readonly from: number; readonly to: number }[];
  /** `counts[column][row]` */
  readonly counts: readonly (readonly number[])[];
}

export interface LineChart extends ChartWords {
  readonly x: Axis;
  readonly panels: readonly Panel[];
}

export interface BarChart extends ChartWords {
  readonly value: Axis;
  /** One row for each, from top to bottom. */
  readonly categories: readonly string[];
  /** One bar for each in every row; null draws no bar. */
  readonly groups: readonly {
    readonly name: string;
    readonly values: readonly ({
      readonly value: number;
      readonly low?: number;
      readonly high?: number;
    } | null)[];
    readonly look?: number;
  }[];
}

/**
 * All plots begin and end at the same x position, so that plots below each other share a time axis.
 */
const WIDTH = 1000;
const LEFT = 72;
const RIGHT = 168;
const PANEL = 180;
const GAP = 44;

/**
 * Placeholder colours, replaced by the page's variables at the end, because ECharts calculates with
 * some colours.
 */
const VARIABLES = [
  ...['--text', '--soft', '--line', '--back'],
  ...Array.from({ length: 8 }, (_, i) => `--look-${i + 1}`),
  ...Array.from({ length: 6 }, (_, i) => `--heat-${i + 1}`),
];
const ink = (name: string): string =>
  `#fe01${(VARIABLES.indexOf(name) + 16).toString(16).padStart(2, '0')}`;
const text = ink('--text');
const soft = ink('--soft');
const rule = ink('--line');
const FONT = 'system-ui, sans-serif';

const SYMBOLS = [
  ['circle', '●'],
  ['emptyRect', '□'],
  ['triangle', '▲'],
  ['emptyDiamond', '◇'],
  ['rect', '■'],
  ['emptyCircle', '○'],
  ['diamond', '◆'],
  ['emptyTriangle', '△'],
] as const;
const DASHES: readonly ('solid' | number[])[] = [
  'solid',
  [7, 4],
  [2, 3],
  [10, 3, 2, 3],
  [14, 4],
  [4, 2, 4, 7],
  [1, 5],
];
/** Patterns of bars: empty, strokes, dots and others, by spacing and rotation. */
const DECALS = [
  undefined,
  { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -Math.PI / 4 },
  { symbol: 'circle', dashArrayX: [6, 6], dashArrayY: [4, 3], symbolSize: 0.7 },
  { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: Math.PI / 4 },
  { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 3], rotation: 0 },
  { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: Math.PI / 2 },
];

/** The look of the n-th quantity. `glyph` is for texts beside the chart. */
export function lookOf(n: number) {
  const [symbol, glyph] = SYMBOLS[n % SYMBOLS.length]!;
  const colour = (n % 8) + 1;
  return { variable: `--look-${colour}`, symbol, glyph, dash: DASHES[n % DASHES.length]! };
}

/** Formats a value with three significant digits, and k, M, G for thousands. */
export function short(value: number): string {
  const size = Math.abs(value);
  const units = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const;
  for (const [unit, letter] of units) {
    if (size >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`;
  }
  return String(Number(value.toPrecision(3)));
}

/** Draws lines over a common x axis, in one or more panels. */
export function lineChart(chart: LineChart): Promise<Markup> {
  const grids: object[] = [];
  const xAxes: object[] = [];
  const yAxes: object[] = [];
  const series: object[] = [];
  const drawn: object[] = [];
  let top = 30;
  chart.panels.forEach((panel, index) => {
    const height = panel.height ?? PANEL;
    const isLast = index === chart.panels.length - 1;
    grids.push({ left: LEFT, right: RIGHT, top, height, containLabel: false });
    xAxes.push({
      ...axisOf(chart.x),
      ...rangeOf(chart.x, spreadOf(chart)),
      gridIndex: index,
      ...(isLast
        ? { name: chart.x.name, nameLocation: 'middle', nameGap: 28 }
        : { axisLabel: { show: false } }),
    });
    yAxes.push({
      ...axisOf(panel.y),
      splitNumber: Math.max(2, Math.round(height / 40)),
      gridIndex: index,
      name: panel.y.name,
      nameLocation: 'end',
      nameGap: 12,
      nameTextStyle: { color: text, align: 'left', fontSize: 13, padding: [0, 0, 0, 8 - LEFT] },
    });
    const at = { xAxisIndex: index, yAxisIndex: index, silent: true };
    if (panel.heat !== undefined) {
      series.push({ ...at, ...heatSeries(panel.heat) });
      drawn.push(...heatKey(panel.heat, top));
    }
    panel.lines.forEach((line, place) => {
      const isLog = panel.y.log === true;
      const aside = asideOf(panel, place);
      const shown = {
        ...lineSeries(line, place, isLog, chart.x.log === true),
        symbolOffset: [aside, 0],
      };
      if (panel.heat !== undefined) series.push({ ...at, ...haloOf(shown) });
      series.push({ ...at, ...shown });
      const whiskers = line.points.filter(
        ({ low, high }) => low !== undefined && high !== undefined,
      );
      if (whiskers.length === 0) return;
      const colour = ink(lookOf(line.look ?? place).variable);
      series.push({
        ...at,
        ...whiskerSeries(
          whiskers.map(({ x, low, high }) => [x, floorOf(low!, isLog), high!]),
          colour,
          'up',
          aside,
        ),
      });
    });
    top += height + GAP;
  });
  return draw(chart, top - GAP + 50, {
    grid: grids,
    xAxis: xAxes,
    yAxis: yAxes,
    series,
    graphic: drawn,
  });
}

/** Distance between the whiskers of two lines that were measured at the same place, in px. */
const ASIDE = 6;

/** Moves the whiskers and symbols of a line aside, so that those of all lines stand side by side. */
function asideOf({ lines }: Panel, place: number): number {
  const hasWhiskers = lines.some(({ points }) => points.some(({ low }) => low !== undefined));
  return hasWhiskers ? (place - (lines.length - 1) / 2) * ASIDE : 0;
}

/** A log axis cannot show 0. */
const floorOf = (low: number, isLog: boolean) => (isLog ? Math.max(low, 1e-9) : low);

/** Draws horizontal bars, with a row for each category. */
export function barChart(chart: BarChart): Promise<Markup> {
  const { categories, groups, value } = chart;
  const bar = groups.length > 2 ? 13 : 16;
  const row = groups.length * (bar + 3) + 12;
  const longest = Math.max(...categories.map(({ length }) => length));
  const left = Math.max(LEFT, 16 + 7.5 * longest);
  const words = value.text ?? short;
  const series: object[] = [];
  groups.forEach((group, place) => {
    const { variable } = lookOf(group.look ?? place);
    const decal = DECALS[(group.look ?? place) % DECALS.length];
    series.push({
      type: 'bar',
      name: group.name,
      silent: true,
      barWidth: bar,
      barGap: '20%',
      data: group.values.map((one) => one?.value ?? null),
      itemStyle: {
        color: ink(variable),
        borderColor: ink(variable),
        ...(decal && { decal: { ...decal, color: ink('--back') } }),
      },
    });
    const known = group.values.flatMap((one, i) => (one === null ? [] : [{ ...one, i }]));
    const offset = (place - (groups.length - 1) / 2) * bar * 1.2;
    const isLog = value.log === true;
    series.push(
      whiskerSeries(
        known.flatMap(({ low, high, i }) =>
          low === undefined || high === undefined ? [] : [[i, floorOf(low, isLog), high]],
        ),
        text,
        'across',
        offset,
      ),
      // To the right of the whisker, if there is one.
      textSeries(
        known.map((one) => [one.i, one.high ?? one.value]),
        known.map((one) => words(one.value)),
        offset,
      ),
    );
  });
  const keyed = groups.length > 1;
  const top = keyed ? 40 : 14;
  return draw(chart, top + row * categories.length + 50, {
    grid: { left, right: RIGHT / 2, top, height: row * categories.length },
    ...(keyed && {
      legend: {
        top: 6,
        left,
        itemWidth: 26,
        // ECharts underestimates the width of words without a browser.
        itemGap: 28,
        itemHeight: 13,
        selectedMode: false,
        borderColor: rule,
        backgroundColor: ink('--back'),
        textStyle: { color: text, fontSize: 13 },
        data: groups.map(({ name }) => name),
      },
    }),
    xAxis: { ...axisOf(value), name: value.name, nameLocation: 'middle', nameGap: 28 },
    yAxis: {
      type: 'category',
      inverse: true,
      data: [...categories],
      axisLine: { lineStyle: { color: soft } },
      axisTick: { show: false },
      axisLabel: { color: text, fontSize: 13, interval: 0 },
    },
    series,
  });
}

function axisOf({ log, text: words, min, max, whole }: Axis): object {
  return {
    type: log === true ? 'log' : 'value',
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(whole === true && { minInterval: 1 }),
    // Both ends of a fixed range are marked, such as 0 and 100 %.
    ...(min !== undefined && max !== undefined && log !== true && { interval: (max - min) / 2 }),
    axisLine: { show: true, lineStyle: { color: soft } },
    axisTick: { lineStyle: { color: soft } },
    splitLine: { lineStyle: { color: rule } },
    minorSplitLine: { show: false },
    nameTextStyle: { color: text, fontSize: 13 },
    axisLabel: { color: soft, fontSize: 12, formatter: words ?? short, hideOverlap: true },
  };
}

/** The common x range of all panels. */
function spreadOf({ x, panels }: LineChart): { min: number; max: number } | undefined {
  const all = panels.flatMap(({ lines, heat }) => [
    ...lines.flatMap(({ points }) => points.map((point) => point.x)),
    ...(heat?.columns ?? []).flatMap(({ from, to }) => [from, to]),
  ]);
  const usable = x.log === true ? all.filter((value) => value > 0) : all;
  if (usable.length === 0) return undefined;
  let [min, max] = [usable[0]!, usable[0]!];
  for (const value of usable) {
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return { min, max };
}

function rangeOf(axis: Axis, spread: { min: number; max: number } | undefined): object {
  if (spread === undefined) return {};
  const min = axis.min ?? (axis.log === true ? spread.min : Math.min(0, spread.min));
  return { min, max: axis.max ?? (spread.max > min ? spread.max : min + 1) };
}

/** About how many points of a line have a symbol. */
const MARKED = 10;

function lineSeries(line: Line, place: number, isLogY: boolean, isLogX: boolean): object {
  const look = lookOf(line.look ?? place);
  const colour = ink(look.variable);
  const isOff = (value: number, isLog: boolean) => isLog && value <= 0;
  const points = line.points.map(({ x, y }) =>
    y === null || isOff(y, isLogY) || isOff(x, isLogX) ? [x, null] : [x, y],
  );
  const step = Math.max(1, Math.ceil(points.length / MARKED));
  const isMarked = (i: number) => i % step === place % step || points.length <= MARKED;
  return {
    type: 'line',
    name: line.name,
    ...(line.steps === true && { step: 'end' }),
    data: points.map((value, i) => ({ value, symbol: isMarked(i) ? look.symbol : 'none' })),
    symbolSize: 7,
    showAllSymbol: true,
    connectNulls: false,
    lineStyle: { color: colour, width: 2, type: look.dash },
    itemStyle: { color: colour },
    endLabel: {
      show: true,
      formatter: `${look.glyph} ${line.name}`,
      color: colour,
      fontSize: 13,
      fontFamily: FONT,
      distance: 10,
    },
    labelLayout: { x: WIDTH - RIGHT + 10, moveOverlap: 'shiftY' },
    z: 3,
  };
}

/** A broad line in the background colour, below a line that crosses a heat map. */
const haloOf = (line: object): object => ({
  ...line,
  lineStyle: { color: ink('--back'), width: 5 },
  showSymbol: false,
  endLabel: { show: false },
  z: 2,
});

/** Whiskers from low to high, with a bar at both ends. */
function whiskerSeries(
  data: readonly (readonly number[])[],
  colour: string,
  way: 'up' | 'across',
  offset = 0,
): CustomSeriesOption {
  return {
    type: 'custom',
    silent: true,
    data: data.map((one) => [...one]),
    encode: way === 'up' ? { x: 0, y: [1, 2] } : { y: 0, x: [1, 2] },
    z: 4,
    renderItem: (_, api) => {
      const place = Number(api.value(0));
      const pointOf = (value: number) =>
        way === 'up' ? api.coord([place, value]) : api.coord([value, place]);
      const [low, high] = [pointOf(Number(api.value(1))), pointOf(Number(api.value(2)))];
      const [dx, dy] = way === 'up' ? [4, 0] : [0, 4];
      const [ox, oy] = way === 'up' ? [offset, 0] : [0, offset];
      const lines = [
        [low[0]! + ox, low[1]! + oy, high[0]! + ox, high[1]! + oy],
        ...[low, high].map((end) => [
          end[0]! - dx + ox,
          end[1]! - dy + oy,
          end[0]! + dx + ox,
          end[1]! + dy + oy,
        ]),
      ];
      return {
        type: 'group',
        // Over a bar, a whisker needs an outline to be visible.
        children: [
          { stroke: ink('--back'), lineWidth: 3.5 },
          { stroke: colour, lineWidth: 1.3 },
        ]
          .slice(way === 'up' ? 1 : 0)
          .flatMap((style) =>
            lines.map(([x1, y1, x2, y2]) => ({
              type: 'line' as const,
              shape: { x1: x1!, y1: y1!, x2: x2!, y2: y2! },
              style,
            })),
          ),
      };
    },
  };
}

/** Texts to the right of places in a bar chart. */
function textSeries(
  data: readonly (readonly number[])[],
  words: readonly string[],
  offset: number,
): CustomSeriesOption {
  return {
    type: 'custom',
    silent: true,
    data: data.map((one) => [...one]),
    encode: { y: 0, x: 1 },
    z: 4,
    renderItem: ({ dataIndex }, api) => {
      const [x, y] = api.coord([Number(api.value(1)), Number(api.value(0))]);
      return {
        type: 'text',
        style: {
          text: words[dataIndex]!,
          x: x! + 8,
          y: y! + offset,
          fill: text,
          font: `12px ${FONT}`,
          verticalAlign: 'middle',
        },
      };
    },
  };
}

const HEAT_STEPS = 6;

/**
 * Steps of equal ratio, from 1 to the largest count, so that a single slow answer is visible beside
 * thousands.
 */
function heatSteps({ counts }: Heat): number[] {
  let most = 1;
  for (const column of counts) for (const count of column) most = Math.max(most, count);
  const steps = Array.from({ length: HEAT_STEPS }, (_, i) =>
    Math.max(1, Math.round(most ** (i / HEAT_STEPS))),
  );
  return [...new Set(steps)];
}

const heatColour = (steps: readonly number[], count: number): string => {
  const step = steps.findLastIndex((least) => count >= least);
  return ink(`--heat-${Math.round(((step + 1) * HEAT_STEPS) / steps.length)}`);
};

function heatSeries(heat: Heat): object {
  const steps = heatSteps(heat);
  const data: number[][] = [];
  heat.counts.forEach((rows, column) => {
    const { from, to } = heat.columns[column]!;
    rows.forEach((count, row) => {
      if (count > 0) data.push([from, to, heat.rows[row]!.from, heat.rows[row]!.to, count]);
    });
  });
  const series: CustomSeriesOption = {
    type: 'custom',
    data,
    encode: { x: [0, 1], y: [2, 3] },
    clip: true,
    z: 1,
    renderItem: (_, api) => {
      const [left, bottom] = api.coord([Number(api.value(0)), Number(api.value(2))]);
      const [right, top] = api.coord([Number(api.value(1)), Number(api.value(3))]);
      return {
        type: 'rect',
        // Slightly larger, so that no background shows between neighbours.
        shape: { x: left!, y: top!, width: right! - left! + 0.4, height: bottom! - top! + 0.4 },
        style: { fill: heatColour(steps, Number(api.value(4))) },
      };
    },
  };
  return series;
}

/** The key of the shades, above the plot on the right. */
function heatKey(heat: Heat, top: number): object[] {
  const steps = heatSteps(heat);
  const y = top - 25;
  const words = (t: string, left: number) => ({
    type: 'text',
    left,
    top: y,
    style: { text: t, fill: soft, font: `12px ${FONT}` },
  });
  let left = WIDTH - RIGHT;
  const drawn: object[] = [];
  for (const [i, least] of [...steps.entries()].reverse()) {
    const t = i === steps.length - 1 ? `${short(least)} or more` : `${short(least)}`;
    left -= 7 * t.length + 8;
    drawn.push(words(t, left));
    left -= 21;
    const shape = { x: 0, y: 0, width: 16, height: 12 };
    drawn.push({ type: 'rect', left, top: y, shape, style: { fill: heatColour(steps, least) } });
  }
  return [...drawn, words('answers, from', left - 90)];
}

/** ECharts is large, so it is loaded only when a page needs a chart. */
let library: Promise<typeof import('echarts/core')> | undefined;

async function load(): Promise<typeof import('echarts/core')> {
  const [core, charts, components, renderers, features] = await Promise.all([
    import('echarts/core'),
    import('echarts/charts'),
    import('echarts/components'),
    import('echarts/renderers'),
    import('echarts/features'),
  ]);
  core.use([
    ...[charts.LineChart, charts.BarChart, charts.CustomChart],
    ...[components.GridComponent, components.LegendComponent, components.GraphicComponent],
    ...[components.AriaComponent, features.LabelLayout, renderers.SVGRenderer],
  ]);
  return core;
}

async function draw(words: ChartWords, height: number, option: EChartsCoreOption): Promise<Markup> {
  library ??= load();
  const { init } = await library;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: FONT, color: text },
      aria: { enabled: true, label: { enabled: false }, decal: { show: false } },
      ...option,
    });
    return finished(chart.renderToSVGString(), words);
  } finally {
    chart.dispose();
  }
}

/**
 * Adds the texts for readers who cannot see the chart, inserts the page's colours, and removes what
 * a static drawing does not need.
 */
function finished(svg: string, { id, title, description }: ChartWords): Markup {
  const drawn = svg
    .replace(/<style >.*?<\/style>\n?/s, '')
    .replace(/ (?:class="zr\d+-cls-\d+"|ecmeta_\w+="[^"]*"|pointer-events="\w+")/g, '')
    .replaceAll(/="[^"]*"/g, (attribute) => attribute.replaceAll(/(\d\.\d\d)\d+/g, '$1'))
    // ECharts fills empty symbols with white, whatever the background.
    .replaceAll('fill="#fff"', 'fill="var(--back)"')
    .replaceAll(/\bzr\d+-/g, `${id}-`)
    .replaceAll(/#fe01([0-9a-f]{2})/g, (whole, hex: string) => {
      const name = VARIABLES[Number.parseInt(hex, 16) - 16];
      return name === undefined ? whole : `var(${name})`;
    });
  const start = drawn.indexOf('>');
  return html`${trusted(drawn.slice(0, start))} role="img" aria-labelledby="${id}-title ${id}-words">
<title id="${id}-title">${title}</title>
<desc id="${id}-words">${description}</desc>${trusted(drawn.slice(start + 1))}`;
}
