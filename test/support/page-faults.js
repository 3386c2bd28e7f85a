/** Runs inside the page, which Node's types do not know. Texts in closed folds and without a size are not visible. */
globalThis.faultsInPage = () => {
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const text = node.textContent?.trim() ?? '';
    const parent = node.parentElement;
    if (text === '' || parent === null || /^(style|title|desc)$/i.test(parent.tagName)) continue;
    if (!parent.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const { left, right, top, bottom } of range.getClientRects()) {
      if (right - left > 1 && bottom - top > 1) boxes.push({ text, left, right, top, bottom });
    }
  }
  boxes.sort((a, b) => a.top - b.top);
  const overlaps = [];
  boxes.forEach((a, i) => {
    for (let j = i + 1; j < boxes.length && boxes[j].top < a.bottom; j++) {
      const b = boxes[j];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - b.top;
      // The box of a line is higher than its letters.
      const isOver = wide > 2 && high > 0.35 * Math.min(a.bottom - a.top, b.bottom - b.top);
      if (isOver) overlaps.push(`"${a.text.slice(0, 40)}" over "${b.text.slice(0, 40)}"`);
    }
  });
  const { scrollWidth, clientWidth } = document.documentElement;
  return { overlaps, overflow: scrollWidth - clientWidth };
};
