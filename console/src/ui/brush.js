// A rectangle drawn by pointer or keyboard. It selects what it touches; with Shift or Ctrl it adds to what is selected.

const MOVED = 4; // pixels from which a press is no click

export const rectangleOf = (a, b) => ({
  left: Math.min(a.x, b.x), top: Math.min(a.y, b.y), right: Math.max(a.x, b.x), bottom: Math.max(a.y, b.y),
});

/** The rectangle from one cell to another, both in it. Pure. */
export const spanOf = ({ x, y, size }, one, other) =>
  rectangleOf(
    { x: Math.min(x[one], x[other]) + size / 4, y: Math.min(y[one], y[other]) + size / 4 },
    { x: Math.max(x[one], x[other]) + size / 2, y: Math.max(y[one], y[other]) + size / 2 },
  );

/**
 * Follows one pointer on an element.
 *   brushes(event) whether a press there begins a rectangle (a finger scrolls the page unless it is told to select)
 *   draw(rectangle or undefined), done(rectangle, adds), click(event)
 */
export function followPointer(element, { brushes, draw, done, click }) {
  let from;
  let rectangle;
  const where = (event) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const end = () => {
    from = undefined;
    rectangle = undefined;
    draw(undefined);
  };
  const handlers = {
    pointerdown(event) {
      if (event.button !== 0 || !event.isPrimary) return;
      from = { ...where(event), id: event.pointerId, brushes: brushes(event) };
    },
    pointermove(event) {
      if (!from?.brushes || event.pointerId !== from.id) return;
      const to = where(event);
      if (!rectangle && Math.hypot(to.x - from.x, to.y - from.y) < MOVED) return;
      if (!rectangle) element.setPointerCapture(event.pointerId);
      rectangle = rectangleOf(from, to);
      draw(rectangle);
    },
    pointerup(event) {
      if (!from || event.pointerId !== from.id) return;
      const drawn = rectangle;
      end();
      if (drawn) done(drawn, event.shiftKey || event.ctrlKey || event.metaKey);
      else click(event);
    },
    pointercancel: end,
  };
  const cancel = (event) => {
    if (event.key !== 'Escape' || !rectangle) return;
    event.stopPropagation();
    end();
  };
  for (const [name, handler] of Object.entries(handlers)) element.addEventListener(name, handler);
  addEventListener('keydown', cancel, true);
  return () => {
    for (const [name, handler] of Object.entries(handlers)) element.removeEventListener(name, handler);
    removeEventListener('keydown', cancel, true);
  };
}
