// How the cells look: into which classes clusters fall, and what says each class' colour and glyph. Pure.
import { shownOf, staleOf } from './fleet.js';
import { STATES } from './states.js';

/**
 * The look of the states:
 *   classes  [{ id, text, glyph }], the colours being --ID and --on-ID of the style sheet
 *   classOf(index), faint(index)
 */
export const stateLook = (fleet) => ({
  classes: STATES,
  classOf: (at) => shownOf(fleet, at),
  faint: (at) => staleOf(fleet, at),
});
