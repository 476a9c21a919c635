// A rectangle drawn by pointer or keyboard. It selects what it touches; with Shift or Ctrl it adds to what is selected.
// Or what is seen is moved along with the pointer.

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
 *   drags()        whether it moves what is seen instead
 *   draw(rectangle or undefined), done(rectangle, adds), click(event)
 *   drag(dx, dy) so far, 0, 0 when it is given up; dragged(dx, dy)
 */
export function followPointer(element, { brushes, drags, draw, done, click, drag, dragged }) {
  let from;
  let rectangle;
  let way;
  const where = (event) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const onScreen = ({ clientX, clientY }) => ({ x: clientX, y: clientY }); // the element moves along
  const end = () => {
    from = undefined;
    rectangle = undefined;
    way = undefined;
    draw(undefined);
  };
  const giveUp = () => {
    if (way) drag(0, 0);
    end();
  };
  const handlers = {
    pointerdown(event) {
      if (event.button !== 0 || !event.isPrimary) return;
      const moves = drags();
      from = { ...(moves ? onScreen(event) : where(event)), id: event.pointerId, moves, brushes: !moves && brushes(event) };
    },
    pointermove(event) {
      if (!(from?.brushes || from?.moves) || event.pointerId !== from.id) return;
      const to = from.moves ? onScreen(event) : where(event);
      const begun = rectangle || way;
      if (!begun && Math.hypot(to.x - from.x, to.y - from.y) < MOVED) return;
      if (!begun) element.setPointerCapture(event.pointerId);
      if (from.moves) {
        way = { x: to.x - from.x, y: to.y - from.y };
        drag(way.x, way.y);
      } else {
        rectangle = rectangleOf(from, to);
        draw(rectangle);
      }
    },
    pointerup(event) {
      if (!from || event.pointerId !== from.id) return;
      const drawn = rectangle;
      const went = way;
      end();
      if (went) dragged(went.x, went.y);
      else if (drawn) done(drawn, event.shiftKey || event.ctrlKey || event.metaKey);
      else click(event);
    },
    pointercancel: giveUp,
  };
  const cancel = (event) => {
    if (event.key !== 'Escape' || !(rectangle || way)) return;
    event.stopPropagation();
    giveUp();
  };
  for (const [name, handler] of Object.entries(handlers)) element.addEventListener(name, handler);
  addEventListener('keydown', cancel, true);
  return () => {
    for (const [name, handler] of Object.entries(handlers)) element.removeEventListener(name, handler);
    removeEventListener('keydown', cancel, true);
  };
}
