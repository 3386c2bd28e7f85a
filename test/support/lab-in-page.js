// Runs in the page of the lab, for its tests: what they cannot ask for by names and roles.
// biome-ignore lint/correctness/noUnusedVariables: the tests call it by name
const inLab = {
  /** A canvas as text: the even ones stand still, the odd ones move. */
  picture: (index) => document.querySelectorAll('.picture canvas')[index].toDataURL(),

  /** True if each moving canvas has more than nothing. */
  isDrawn() {
    const all = [...document.querySelectorAll('.picture canvas + canvas')];
    return all.length > 0 && all.every(({ width }) => width > 0) && all.every(isMarked);
  },

  /** Takes the pictures away: `isDrawn` is true once the page has drawn others. */
  clear() {
    for (const canvas of document.querySelectorAll('.picture canvas')) canvas.width = 0;
  },

  /** The buttons with which the page is wider than the window, after a click on each. */
  async tooWide(selector) {
    const found = [];
    for (const button of document.querySelectorAll(selector)) {
      button.click();
      await new Promise(requestAnimationFrame);
      if (inLab.overflow() > 0) found.push(button.textContent);
    }
    return found;
  },

  overflow: () => document.documentElement.scrollWidth - innerWidth,
  overflowBelow: () => document.documentElement.scrollHeight - innerHeight,
  ground: () => getComputedStyle(document.documentElement).backgroundColor,
  textSizes: (selector) =>
    [...document.querySelectorAll(selector)].map((one) =>
      Number.parseFloat(getComputedStyle(one).fontSize),
    ),

  /** The text of what has the focus, or of its label. */
  focused() {
    const at = document.activeElement;
    const label = at.closest('label');
    return (label ?? at).textContent.replace(/^▲ /, '');
  },

  /** How many pixels of a canvas are neither black nor white nor grey. */
  colouredPixels(index) {
    const canvas = document.querySelectorAll('.picture canvas')[index];
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue, alpha] = data.subarray(at, at + 4);
      const spread = Math.max(red, green, blue) - Math.min(red, green, blue);
      if (alpha > 128 && spread > 24) count++;
    }
    return count;
  },

  labelOfFocused: () => document.activeElement.getAttribute('aria-label'),

  /** How many different pictures the moving canvas shows in this time. */
  async pictures(ms) {
    const seen = new Set();
    const end = performance.now() + ms;
    while (performance.now() < end) {
      await new Promise(requestAnimationFrame);
      seen.add(inLab.picture(1));
    }
    return seen.size;
  },

  /** The most calls that one picture made of its canvases, of this number of pictures. */
  async callsOfPicture(pictures) {
    const { prototype } = CanvasRenderingContext2D;
    const own = Object.getOwnPropertyDescriptors(prototype);
    let calls = 0;
    for (const [name, { value }] of Object.entries(own)) {
      if (typeof value !== 'function') continue;
      prototype[name] = function (...values) {
        calls++;
        return value.apply(this, values);
      };
    }
    const seen = [];
    while (seen.length < pictures) {
      calls = 0;
      await new Promise(requestAnimationFrame);
      if (calls > 0) seen.push(calls);
    }
    Object.defineProperties(prototype, own);
    return Math.max(...seen);
  },

  /** The time in ms that 95 of 100 frames keep. */
  async frameTime(ms) {
    const deltas = [];
    let last = await new Promise(requestAnimationFrame);
    const end = last + ms;
    while (last < end) {
      const now = await new Promise(requestAnimationFrame);
      deltas.push(now - last);
      last = now;
    }
    return deltas.sort((a, b) => a - b)[Math.floor(deltas.length * 0.95)];
  },

  async barriers(within, rules) {
    const only = rules.length > 0 ? { runOnly: rules } : {};
    const { violations } = await axe.run(within, { resultTypes: ['violations'], ...only });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  },

  /** What is smaller than a finger can hit. */
  small: () =>
    [...document.querySelectorAll('button, select, input, summary')]
      .map((one) => [one, one.getBoundingClientRect()])
      .filter(([, { width, height }]) => width > 0 && (height < 24 || width < 24))
      .map(([one]) => one.outerHTML),
};

function isMarked(canvas) {
  // A copy: the browser warns of a page whose own canvas is read often.
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  return new Uint32Array(data.buffer).some((pixel) => pixel !== 0);
}
