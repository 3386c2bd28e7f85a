// Runs in the page of the lab, for its tests: what they cannot ask for by names and roles.
// biome-ignore lint/correctness/noUnusedVariables: the tests call it by name
const inLab = {
  /** A canvas as text: the even ones stand still, the odd ones move. */
  picture: (index) => document.querySelectorAll('.picture canvas')[index].toDataURL(),

  isDrawn() {
    const canvas = document.querySelector('.picture canvas + canvas');
    if (canvas === null || canvas.width === 0) return false;
    const empty = document.createElement('canvas');
    empty.width = canvas.width;
    empty.height = canvas.height;
    return canvas.toDataURL() !== empty.toDataURL();
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

  async barriers(within) {
    const { violations } = await axe.run(within, { resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  },

  /** What is smaller than a finger can hit. */
  small: () =>
    [...document.querySelectorAll('button, select, input, summary')]
      .map((one) => [one, one.getBoundingClientRect()])
      .filter(([, { width, height }]) => width > 0 && (height < 24 || width < 24))
      .map(([one]) => one.outerHTML),
};
