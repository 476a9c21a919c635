// Clusters as cells, in blocks by a label.
import { useCallback, useMemo } from 'preact/hooks';
import { groupBy } from '../fleet.js';
import { stateLook } from '../looks.js';
import { Cells } from './cells.jsx';
import { gridSurface } from './layout.js';

/** As Cells; height is what the grid takes if its cells fit. Without a look it shows states. */
export function Grid({ fleet, indices, group, height, look, ...rest }) {
  const surfaceOf = useCallback(
    (width) => gridSurface(groupBy(fleet, indices, group), width, height, fleet.n),
    [fleet, indices, group, height],
  );
  const states = useMemo(() => stateLook(fleet), [fleet]);
  return <Cells fleet={fleet} indices={indices} surfaceOf={surfaceOf} look={look ?? states} {...rest} />;
}
